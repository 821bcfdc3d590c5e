package casd

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/hosttest"
)

// A full disk is told while the body is still on its way, and nothing is hurt.
func TestFullDisk(t *testing.T) {
	n, peer := start(t, hosttest.MountTmpfs(t, "size=64m"), patient), start(t, t.TempDir(), nil)
	small, big := noise(20, 4*mib), noise(21, 40*mib)
	d, e := n.put(small), peer.put(big)
	n.needs.need(d, api.Ref{Kind: api.KindComponent, Name: "web"})
	n.peers(map[api.PeerID]*node{peerID("B"): peer})

	n.refuse(507, "free some space", "PUT", "/blobs", bytes.NewReader(big))
	n.measures("blobs 1", fmt.Sprint("chunk_bytes ", float64(len(small))), `puts_total{result="full"} 1`)
	n.refuse(507, "free some space", "POST", api.PathBlobFetch(e), nil)
	if resp, got := n.do(http.MethodGet, api.PathBlob(d), nil); resp.StatusCode != http.StatusOK || !bytes.Equal(got, small) {
		t.Errorf("what was there: %s, %d bytes", resp.Status, len(got))
	}
}

// What nobody needs gives way on a full disk, however large the quota is, to what is put
// and to what is fetched.
func TestFullDiskIsCollected(t *testing.T) {
	n, peer := start(t, hosttest.MountTmpfs(t, "size=64m"), patient), start(t, t.TempDir(), nil)
	n.peers(map[api.PeerID]*node{peerID("B"): peer})
	old, put, fetched := n.put(noise(20, 8*mib)), noise(21, 10*mib), noise(22, 11*mib)
	d := n.put(put)
	n.holds("after a put", []api.Digest{old, d}, false, true)
	e := peer.put(fetched)
	n.ask(http.MethodPost, api.PathBlobFetch(e), "", &api.BlobInfo{})
	n.holds("after a fetch", []api.Digest{d, e}, false, true)
	if resp, got := n.do(http.MethodGet, api.PathBlob(e), nil); resp.StatusCode != http.StatusOK || !bytes.Equal(got, fetched) {
		t.Errorf("what was fetched: %s, %d bytes", resp.Status, len(got))
	}
}
