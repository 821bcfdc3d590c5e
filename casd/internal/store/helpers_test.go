package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store/cut"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envChildDir); dir != "" {
		fmt.Println(workForEver(dir, os.Getenv(envChildSeed)))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

const mib = api.MaxChunk

func openStore(t testing.TB, dir string) *Store {
	t.Helper()
	s := New(dir, slog.New(slog.NewTextHandler(t.Output(), nil)), nil)
	if err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	return s
}

// noise is n bytes that no two seeds share.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	src := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
	_, _ = src.Read(b) // never fails
	return b
}

func put(t testing.TB, s *Store, b []byte) api.Digest {
	t.Helper()
	info, err := s.Put(context.Background(), bytes.NewReader(b), int64(len(b)), api.Sum(b))
	if err != nil {
		t.Fatal(err)
	}
	if want := (api.BlobInfo{SHA256: api.Sum(b), Size: int64(len(b))}); info != want {
		t.Fatalf("put: %+v, want %+v", info, want)
	}
	return info.SHA256
}

func get(s *Store, d api.Digest) ([]byte, error) {
	r, err := s.Open(d)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// files lists all files of a store, without their folders' names.
func files(t testing.TB, s *Store) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(s.dir, func(p string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(s.dir, p)
		if err == nil && (!d.IsDir() || filepath.Dir(rel) == dirTemp) {
			out = append(out, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func dirEntries(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// fakeFetch begins a blob and puts its first n chunks.
func (s *Store) fakeFetch(t testing.TB, b []byte, n int) api.BlobIndex {
	t.Helper()
	idx := indexOf(t, b)
	if err := s.Begin(idx); err != nil {
		t.Fatal(err)
	}
	s.putChunks(t, idx.Chunks[:n], b)
	return idx
}

// putChunks puts chunks, which are what b begins with.
func (s *Store) putChunks(t testing.TB, chunks []api.BlobInfo, b []byte) {
	t.Helper()
	for _, c := range chunks {
		if err := s.PutChunk(c, b[:c.Size]); err != nil {
			t.Fatal(err)
		}
		b = b[c.Size:]
	}
}

// fetch brings a blob as from a peer, whatever of it is here. It gives up after some
// losses on this disk.
func (s *Store) fetch(idx api.BlobIndex, b []byte) error {
	if err := s.Begin(idx); err != nil {
		return err
	}
	var err error
	for range 5 {
		missing := map[api.Digest]bool{}
		for _, c := range s.Missing(idx) {
			missing[c.SHA256] = true
		}
		rest := b
		for _, c := range idx.Chunks {
			if missing[c.SHA256] {
				if err := s.PutChunk(c, rest[:c.Size]); err != nil {
					return err
				}
			}
			rest = rest[c.Size:]
		}
		if err = s.Complete(context.Background(), idx); !errors.Is(err, ErrDamaged) {
			return err
		}
	}
	return err
}

func indexOf(t testing.TB, b []byte) api.BlobIndex {
	t.Helper()
	idx, err := indexFor(b)
	if err != nil {
		t.Fatal(err)
	}
	return idx
}

// indexFor is how a blob of known size is cut.
func indexFor(b []byte) (api.BlobIndex, error) {
	idx := api.BlobIndex{BlobInfo: api.BlobInfo{SHA256: api.Sum(b), Size: int64(len(b))}}
	cutter, err := cut.For(int64(len(b)))
	if err != nil {
		return idx, err
	}
	for len(b) > 0 {
		n := cutter.Next(b)
		idx.Chunks = append(idx.Chunks, api.BlobInfo{SHA256: api.Sum(b[:n]), Size: int64(n)})
		b = b[n:]
	}
	return idx, nil
}

// closed checks that a store holds what the indexes say and nothing else, as a new
// look at its folder does, and that nobody has kept a buffer.
func closed(t testing.TB, s *Store) {
	t.Helper()
	if left := s.spare.left.Load(); left != spareBuffers {
		t.Errorf("%d spare buffers, want %d", left, spareBuffers)
	}
	if left := dirEntries(t, s.path(dirTemp)); len(left) != 0 {
		t.Errorf("left in tmp: %v", left)
	}
	st := s.Stats()
	if again := openStore(t, s.dir).Stats(); !same(st, again) {
		t.Errorf("stats %+v, counted again %+v", st, again)
	}
	listed := map[api.Digest]bool{}
	if err := s.eachIndex(func(e entry) error {
		for _, c := range e.idx.Chunks {
			listed[c.SHA256] = true
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if st.Chunks > int64(len(listed)) || st.Partial == 0 && st.Chunks != int64(len(listed)) {
		t.Errorf("%d chunks, %d are listed", st.Chunks, len(listed))
	}
}
