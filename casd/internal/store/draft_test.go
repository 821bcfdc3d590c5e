package store

import (
	"bytes"
	"os"
	"testing"

	"github.com/realm-mesh/realm/api"
)

// drafts calls fn for stores that make chunks with a name under tmp, and without, where
// there are files without one.
func drafts(t *testing.T, fn func(*testing.T, *Store)) {
	s := openStore(t, t.TempDir())
	if s.nameless {
		t.Run("without a name", func(t *testing.T) { fn(t, s) })
	}
	named := openStore(t, t.TempDir())
	named.nameless = false
	t.Run("named", func(t *testing.T) { fn(t, named) })
}

// A draft takes the place of a file that is damaged, and leaves nothing beside it.
func TestDraftReplacesDamage(t *testing.T) {
	drafts(t, func(t *testing.T, s *Store) {
		b := noise(70, 300_000)
		idx := indexOf(t, b)
		put(t, s, b)
		for _, c := range idx.Chunks {
			edit(t, s.chunkPath(c.SHA256), func(b []byte) []byte { return append(b, b[0]) })
		}
		d := put(t, s, b)
		if got, err := get(s, d); err != nil || !bytes.Equal(got, b) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
		closed(t, s)
	})
}

// One that gets no name leaves nothing.
func TestDraftWithoutPlace(t *testing.T) {
	drafts(t, func(t *testing.T, s *Store) {
		before := files(t, s)
		b := noise(71, 1000)
		c := api.BlobInfo{SHA256: api.Sum(b), Size: int64(len(b))}
		if err := s.PutChunk(c, b); err == nil {
			t.Error("a chunk was stored that no blob lists")
		}
		// A folder in its place cannot be replaced.
		if err := os.Mkdir(s.chunkPath(c.SHA256), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), bytes.NewReader(b), c.Size, c.SHA256); err == nil {
			t.Error("a blob was stored over a folder")
		}
		if err := os.Remove(s.chunkPath(c.SHA256)); err != nil {
			t.Fatal(err)
		}
		if after := files(t, s); len(after) != len(before) {
			t.Errorf("files %v, before %v", after, before)
		}
		put(t, s, b)
		closed(t, s)
	})
}

// What a store can do with names it finds out anew each time, and leaves nothing of it.
func TestTryNameless(t *testing.T) {
	s := openStore(t, t.TempDir())
	before := files(t, s)
	if got := s.tryNameless(); got != s.nameless {
		t.Errorf("nameless: %v, and %v before", got, s.nameless)
	}
	if after := files(t, s); len(after) != len(before) {
		t.Errorf("files %v, before %v", after, before)
	}
}
