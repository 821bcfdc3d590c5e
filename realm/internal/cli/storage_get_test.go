package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

func TestStorageGetFromTheMesh(t *testing.T) {
	m := newMesh(t)
	body := bytes.Repeat([]byte("far away "), 500)
	d := m.store.AddFar(body)
	m.want(1, []string{"no blob begins with " + d.Short(), "realm storage ls --all", "all 64 digits"}, "storage", "get", d.Short(), "-o", filepath.Join(t.TempDir(), "x"))
	out := filepath.Join(t.TempDir(), "out")
	m.want(0, []string{"4.4 KiB, from the mesh, in "}, "storage", "get", d.String(), "-o", out)
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, body) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	none := api.Sum([]byte("nobody has it"))
	m.want(1, []string{"fetch " + none.Short() + " from the mesh: no member has " + none.Short()}, "storage", "get", none.String(), "-o", out)
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, body) {
		t.Errorf("what was there is gone: %d bytes, %v", len(got), err)
	}
}

// A casd that goes away in the middle, or meets damage there, does not begin anew.
func TestStorageGetGoesOn(t *testing.T) {
	m := newMesh(t)
	body := bytes.Repeat([]byte("0123456789abcdef"), 4096)
	d := m.store.Add(body, api.BlobRecord{})
	var gets, fetches atomic.Int32
	m.store.Spoil = func(api.Digest) int {
		if gets.Add(1) < 5 {
			return 10_000
		}
		return -1
	}
	m.store.Fetching = func(api.Digest) { fetches.Add(1) }
	out := filepath.Join(t.TempDir(), "out")
	m.want(0, nil, "storage", "get", d.Short(), "-o", out)
	if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, body) || gets.Load() != 5 || fetches.Load() != 4 {
		t.Errorf("got %d bytes, %v; read %d times, mended %d times", len(got), err, gets.Load(), fetches.Load())
	}
	// It gives up where nothing comes, and leaves nothing behind.
	m.store.Spoil = func(api.Digest) int { return 0 }
	m.want(1, []string{"EOF"}, "storage", "get", d.Short(), "-o", filepath.Join(filepath.Dir(out), "other"))
	if all, err := os.ReadDir(filepath.Dir(out)); err != nil || len(all) != 1 {
		t.Errorf("left behind: %v, %v", all, err)
	}
}

// While a blob is fetched a person sees how far that is, and what it waits for.
func TestStorageGetShowsTheFetch(t *testing.T) {
	m := newMesh(t)
	d := m.store.AddFar([]byte("far away"))
	active := api.TransferSource{Peer: peerB, State: "active"}
	for _, c := range []struct {
		t    api.Transfer
		want string
	}{
		{api.Transfer{}, "waiting for members that have it"},
		{api.Transfer{BlobInfo: api.BlobInfo{Size: 9}, Done: 4, Sources: []api.TransferSource{active, {Peer: peerC, State: "slow"}}}, "from 1 member"},
		{api.Transfer{BlobInfo: api.BlobInfo{Size: 9}, Done: 9, Sources: []api.TransferSource{{Peer: peerC, State: "idle"}}}, "checking all of it"},
	} {
		if got := sourcesText(c.t); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	m.store.SetTransfers(api.Transfer{BlobInfo: api.BlobInfo{SHA256: d, Size: 64 << 20}, Done: 16 << 20, Sources: []api.TransferSource{active}})
	m.store.Fetching = func(api.Digest) { time.Sleep(linesEvery + time.Second) }
	m.want(0, []string{"fetching " + d.Short() + ": 16.0 MiB of 64.0 MiB, ", " left, from 1 member\n", "from the mesh"}, "storage", "get", d.String(), "-o", filepath.Join(t.TempDir(), "x"))
}
