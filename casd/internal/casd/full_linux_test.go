package casd

import (
	"bytes"
	"fmt"
	"net/http"
	"syscall"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/hosttest"
)

// A full disk is told while the body is still on its way, and nothing is hurt.
func TestFullDisk(t *testing.T) {
	hosttest.Need(t, hosttest.Tmpfs)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	n, peer := start(t, dir, nil), start(t, t.TempDir(), nil)
	small, big := noise(20, 4*mib), noise(21, 40*mib)
	d, e := n.put(small), peer.put(big)
	n.peers(map[api.PeerID]*node{peerID("B"): peer})

	n.refuse(507, "free some space", "PUT", "/blobs", bytes.NewReader(big))
	n.measures("blobs 1", fmt.Sprint("chunk_bytes ", float64(len(small))), `puts_total{result="full"} 1`)
	n.refuse(507, "free some space", "POST", api.PathBlobFetch(e), nil)
	if resp, got := n.do(http.MethodGet, api.PathBlob(d), nil); resp.StatusCode != http.StatusOK || !bytes.Equal(got, small) {
		t.Errorf("what was there: %s, %d bytes", resp.Status, len(got))
	}
}
