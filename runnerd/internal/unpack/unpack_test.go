package unpack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/archive"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// shop is a store of archives.
type shop struct {
	mu    sync.Mutex
	blobs map[api.Digest][]byte
	opens atomic.Int32
	away  error
}

func (s *shop) Bring(context.Context, api.BlobInfo) error { return s.away }

func (s *shop) Open(_ context.Context, b api.BlobInfo) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opens.Add(1)
	raw, ok := s.blobs[b.SHA256]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(raw)), nil
}

func (s *shop) add(raw []byte) api.BlobInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := api.BlobInfo{SHA256: api.Sum(raw), Size: int64(len(raw))}
	s.blobs[b.SHA256] = raw
	return b
}

// pack stores an archive with one file.
func (s *shop) pack(t *testing.T, text string) api.BlobInfo {
	t.Helper()
	var out bytes.Buffer
	err := archive.Write(t.Context(), &out, []archive.Source{{Name: "sub/index.html", Size: int64(len(text)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader([]byte(text))), nil
	}}}, archive.Limits{Bytes: 1 << 20, Files: 10})
	if err != nil {
		t.Fatal(err)
	}
	return s.add(out.Bytes())
}

func newStore(t *testing.T, dir string, s *shop) *Store {
	t.Helper()
	out, err := Open(dir, s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func place(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "files")
	t.Cleanup(func() { _ = removeAll(dir) }) // read-only folders are in the way of others
	return dir
}

func reads(t *testing.T, s *Store, b api.BlobInfo, want string) (release func()) {
	t.Helper()
	root, release, err := s.Files(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := root.ReadFile("sub/index.html"); err != nil || string(got) != want {
		t.Errorf("%q, %v", got, err)
	}
	return release
}

// TestFiles: unpacked once, for all who ask, also in the next process.
func TestFiles(t *testing.T) {
	dir, from := place(t), &shop{blobs: map[api.Digest][]byte{}}
	s := newStore(t, dir, from)
	b := from.pack(t, "hello")
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() { reads(t, s, b, "hello")() })
	}
	all.Wait()
	info, err := os.Stat(filepath.Join(dir, b.SHA256.String(), "sub", "index.html"))
	if err != nil || info.Mode().Perm() != 0o444 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.Mkdir(filepath.Join(dir, tmp+"half"), 0o500); err != nil { // a process was killed
		t.Fatal(err)
	}
	from.away = errors.New("nobody has it")
	reads(t, newStore(t, dir, from), b, "hello")()
	if n := from.opens.Load(); n != 1 {
		t.Errorf("read %d times", n)
	}
	if _, err := os.Stat(filepath.Join(dir, tmp+"half")); err == nil {
		t.Error("what was left half made is still there")
	}
}

// TestAway: what cannot be had now can be had later; what is no archive never.
func TestAway(t *testing.T) {
	dir, from := place(t), &shop{blobs: map[api.Digest][]byte{}, away: errors.New("nobody has it")}
	s := newStore(t, dir, from)
	b := from.pack(t, "hello")
	if _, _, err := s.Files(t.Context(), b); !errors.Is(err, from.away) {
		t.Errorf("%v", err)
	}
	from.away = nil
	reads(t, s, b, "hello")()
	var bad *program.RefusedError
	if _, _, err := s.Files(t.Context(), from.add([]byte("no zip"))); !errors.As(err, &bad) {
		t.Errorf("%v", err)
	}
	lying := from.pack(t, "x")
	lying.Size++
	if _, _, err := s.Files(t.Context(), lying); err == nil {
		t.Error("another size is taken")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestIdle: what nobody has goes, but for the latest few; what somebody has stays.
func TestIdle(t *testing.T) {
	dir, from := place(t), &shop{blobs: map[api.Digest][]byte{}}
	s := newStore(t, dir, from)
	first := from.pack(t, "first")
	release := reads(t, s, first, "first")
	for i := range 2 * idle {
		reads(t, s, from.pack(t, fmt.Sprint("more ", i)), fmt.Sprint("more ", i))()
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != idle+1 {
		t.Errorf("%d folders, %v", len(entries), err)
	}
	reads(t, s, first, "first")()
	if n := from.opens.Load(); n != 2*idle+1 {
		t.Errorf("read %d times", n)
	}
	release()
}
