package folders

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/tetratelabs/wazero/experimental/sys"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/runnerd/internal/admit"
	"github.com/realm-mesh/realm/runnerd/internal/volume"
)

// noFiles has no archive.
type noFiles struct{}

func (noFiles) Files(context.Context, api.BlobInfo) (*os.Root, func(), error) {
	return nil, nil, errors.New("nobody has it")
}

// node gives folders below dir.
func node(t *testing.T, dir string) *Node {
	t.Helper()
	volumes, err := volume.Open(volume.Config{Dir: filepath.Join(dir, "volumes"), Realm: func() api.RealmID { return "abcdefghijklmnopqrstuvwxyz234567" }, Decided: func(api.Name) api.Volume { return api.Volume{} }, Changed: func() {}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(admit.New(admit.Config{}), noFiles{}, volumes, filepath.Join(dir, "work"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var (
	work  = api.Mount{Kind: api.MountWork, Guest: "/work", SizeMB: 1}
	state = api.Mount{Kind: api.MountState, Guest: "/data", Volume: "cart"}
)

func open(t *testing.T, n *Node, mounts ...api.Mount) *Set {
	t.Helper()
	s, err := n.Open(t.Context(), "shop", mounts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func replica(t *testing.T, s *Set) ([]engine.Mount, func()) {
	t.Helper()
	mounts, end, err := s.Replica()
	if err != nil {
		t.Fatal(err)
	}
	return mounts, end
}

// write makes a file in a mount, as a guest does.
func write(t *testing.T, m engine.Mount, name string) sys.Errno {
	t.Helper()
	v := m.Folder.View()
	defer v.Close()
	f, errno := v.OpenFile(name, sys.O_RDWR|sys.O_CREAT|sys.O_EXCL, 0o600)
	if errno == 0 {
		_, errno = f.Write([]byte("x"))
	}
	return errno
}

func count(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestWorkFoldersAreTheirReplicas: each has its own, in its place among the mounts, and it is
// gone when the replica ends, or when a process begins after one that was killed.
func TestWorkFoldersAreTheirReplicas(t *testing.T) {
	dir := t.TempDir()
	s := open(t, node(t, dir), work, state)
	first, endFirst := replica(t, s)
	second, endSecond := replica(t, s)
	if first[0].Guest != "/work" || first[1].Guest != "/data" {
		t.Errorf("%+v", first)
	}
	for _, m := range []engine.Mount{first[0], second[0], first[1]} {
		if errno := write(t, m, "a"); errno != 0 {
			t.Error(errno)
		}
	}
	if errno := write(t, second[1], "a"); errno != sys.EEXIST {
		t.Errorf("the volume is another one for the second replica: %v", errno)
	}
	endFirst()
	endFirst()
	if n := count(t, filepath.Join(dir, "work")); n != 1 {
		t.Errorf("%d work folders", n)
	}
	if errno := write(t, first[0], "b"); errno == 0 {
		t.Error("who has ended writes on")
	}
	if errno := write(t, second[0], "b"); errno != 0 {
		t.Error(errno)
	}
	node(t, dir) // the first process was killed
	if n := count(t, filepath.Join(dir, "work")); n != 0 {
		t.Errorf("%d work folders are left", n)
	}
	endSecond()
}

// TestOpenGivesBack: what was opened before something failed is given back.
func TestOpenGivesBack(t *testing.T) {
	n := node(t, t.TempDir())
	_, err := n.Open(t.Context(), "shop", []api.Mount{state, {Kind: api.MountStatic, Guest: "/www", Files: &api.BlobInfo{SHA256: api.Sum(nil), Size: 1}}})
	if err == nil || errors.Is(err, ErrRefused) {
		t.Errorf("%v", err)
	}
	if list := n.volumes.List(t.Context()); len(list) != 1 || list[0].InUse {
		t.Errorf("%+v", list)
	}
	for _, m := range []api.Mount{{Host: "/srv", Guest: "/srv"}, {Kind: "cloud", Guest: "/x"}} {
		if _, err := n.Open(t.Context(), "shop", []api.Mount{m}); !errors.Is(err, ErrRefused) {
			t.Errorf("%+v: %v", m, err)
		}
	}
}
