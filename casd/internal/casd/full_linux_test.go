package casd

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/hosttest"
	"github.com/realm-mesh/realm/internal/kit/local"
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

// A file on a full disk has what fitted, and the caller knows of most of it; the store has
// nothing to do with it. A file that does not fit the store is refused as its bytes are.
func TestFullDiskOfAFile(t *testing.T) {
	n := start(t, t.TempDir(), nil)
	blob := noise(23, 8*mib)
	d := n.put(blob)
	path := filepath.Join(hosttest.MountTmpfs(t, "size=3m"), "file")
	got, err := n.exportTo(openFile(t, path, os.O_WRONLY|os.O_CREATE), d, 0)
	var status *local.StatusError
	if !errors.As(err, &status) || status.Status != http.StatusPreconditionFailed || !strings.Contains(status.Error(), "no space left") {
		t.Errorf("%v", err)
	}
	if b, err := os.ReadFile(path); err != nil || int64(len(b)) < got.Done || got.Done == 0 || !bytes.HasPrefix(blob, b) {
		t.Errorf("%d bytes are in the file, casd says %d, %v", len(b), got.Done, err)
	}
	n.measures("full 0", `gets_total{result="refused"} 1`)

	small := start(t, hosttest.MountTmpfs(t, "size=64m"), patient)
	here := small.tree()
	big := noise(24, 40*mib)
	if _, err := small.importFile(openFile(t, fileOf(t, big), os.O_RDONLY), int64(len(big))); !errors.As(err, &status) || status.Status != http.StatusInsufficientStorage || !strings.Contains(status.Error(), "free some space") {
		t.Errorf("%v", err)
	}
	if now := small.tree(); !slices.Equal(here, now) {
		t.Errorf("files %v, before %v", now, here)
	}
	small.measures(`puts_total{result="full"} 1`)
}
