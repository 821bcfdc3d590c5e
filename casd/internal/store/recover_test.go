package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// tears is what a power cut may leave of a file that was not synced.
var tears = map[string]func(t *testing.T, path string){
	"cut short": func(t *testing.T, p string) { edit(t, p, func(b []byte) []byte { return b[:len(b)/2] }) },
	"empty":     func(t *testing.T, p string) { edit(t, p, func([]byte) []byte { return nil }) },
	"zeros":     func(t *testing.T, p string) { edit(t, p, func(b []byte) []byte { clear(b); return b }) },
	"zeros at the end": func(t *testing.T, p string) {
		edit(t, p, func(b []byte) []byte { clear(b[len(b)/2:]); return b })
	},
	"no name": func(t *testing.T, p string) {
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
	},
}

// Chunks of a fetch that a power cut has torn are found and fetched again; others are
// not.
func TestTornChunks(t *testing.T) {
	for name, tear := range tears {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, t.TempDir())
			b := noise(70, 500_000)
			idx := s.fakeFetch(t, b, len(indexOf(t, b).Chunks))
			for _, i := range []int{0, 5, len(idx.Chunks) - 1} {
				tear(t, s.chunkPath(idx.Chunks[i].SHA256))
			}
			s = openStore(t, s.dir)
			if _, err := s.Open(idx.SHA256); !errors.Is(err, ErrNotFound) {
				t.Fatalf("open: %v", err)
			}
			if err := s.Complete(t.Context(), idx); !errors.Is(err, ErrDamaged) {
				t.Fatalf("complete: %v", err)
			}
			if n := len(s.Missing(idx)); n != 3 {
				t.Errorf("%d chunks are missing, want 3", n)
			}
			if err := s.fetch(idx, b); err != nil {
				t.Fatal(err)
			}
			if got, err := get(s, idx.SHA256); err != nil || !bytes.Equal(got, b) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			closed(t, s)
		})
	}
}

// A put that finds the torn chunks of a fetch writes them anew.
func TestPutOverTornChunks(t *testing.T) {
	for name, tear := range tears {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, t.TempDir())
			b := noise(71, 300_000)
			idx := s.fakeFetch(t, b, 4)
			for _, c := range idx.Chunks[:4] {
				tear(t, s.chunkPath(c.SHA256))
			}
			s = openStore(t, s.dir)
			put(t, s, b)
			if got, err := get(s, idx.SHA256); err != nil || !bytes.Equal(got, b) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// A whole blob of which a chunk has gone while nobody ran counts as missing.
func TestVanishedChunk(t *testing.T) {
	s := openStore(t, t.TempDir())
	b := noise(72, 300_000)
	d, other := put(t, s, b), put(t, s, noise(73, 300_000))
	if err := os.Remove(s.chunkPath(indexOf(t, b).Chunks[2].SHA256)); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, s.dir)
	if st := s.Stats(); st.Blobs != 1 || st.Damaged != 1 {
		t.Errorf("stats %+v", st)
	}
	if _, err := s.Open(d); !errors.Is(err, ErrNotFound) {
		t.Errorf("open: %v", err)
	}
	if _, err := get(s, other); err != nil {
		t.Errorf("the other: %v", err)
	}
	if err := s.fetch(indexOf(t, b), b); err != nil {
		t.Error(err)
	}
	closed(t, s)
}

// oldIndex cuts b as stores did at first, and lays its chunks into s.
func oldIndex(t *testing.T, s *Store, b []byte, chunks int) api.BlobIndex {
	t.Helper()
	idx := api.BlobIndex{BlobInfo: api.BlobInfo{SHA256: api.Sum(b), Size: int64(len(b))}}
	for c := range slices.Chunk(b, mib) {
		info := api.BlobInfo{SHA256: api.Sum(c), Size: int64(len(c))}
		idx.Chunks = append(idx.Chunks, info)
		if len(idx.Chunks) <= chunks {
			if err := os.WriteFile(s.chunkPath(info.SHA256), c, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return idx
}

func writeOld(t *testing.T, path string, idx api.BlobIndex, at time.Time) {
	t.Helper()
	b, err := json.Marshal(idx)
	if err := errors.Join(err, os.WriteFile(path, b, 0o600), os.Chtimes(path, at, at)); err != nil {
		t.Fatal(err)
	}
}

// A store of an earlier version is read as it lies: its indexes were JSON, its chunks
// 1 MiB long.
func TestEarlierStore(t *testing.T) {
	s := openStore(t, t.TempDir())
	at := time.Now().Add(-50 * time.Hour).Truncate(time.Second)
	whole, part, both := noise(74, 3*mib+5), noise(75, 2*mib), noise(76, mib)
	a, p, c := oldIndex(t, s, whole, 4), oldIndex(t, s, part, 1), oldIndex(t, s, both, 1)
	writeOld(t, s.indexPath(a.SHA256, extOld), a, at)
	writeOld(t, s.indexPath(p.SHA256, extPart), p, at)
	writeOld(t, s.indexPath(c.SHA256, extOld), c, at)
	if err := os.WriteFile(s.indexPath(c.SHA256, extWhole), encoded(t, c), 0o600); err != nil { // it was killed there
		t.Fatal(err)
	}
	bad := s.indexPath(api.Sum([]byte("bad")), extOld)
	if err := os.WriteFile(bad, []byte(`{"sha256":`), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s = openStore(t, s.dir)
		if st := s.Stats(); st.Blobs != 2 || st.Partial != 1 || st.Bytes != int64(len(whole))+mib+mib {
			t.Errorf("stats %+v", st)
		}
		for _, b := range [][]byte{whole, both} {
			if got, err := get(s, api.Sum(b)); err != nil || !bytes.Equal(got, b) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		}
		if got, err := s.Partial(p.SHA256); err != nil || !slices.Equal(got.Chunks, p.Chunks) {
			t.Errorf("partial: %v", err)
		}
		if old, _ := filepath.Glob(filepath.Join(s.dir, dirBlobs, "*", "*"+extOld)); len(old) != 0 {
			t.Errorf("still there: %v", old)
		}
		for _, r := range records(t, s) {
			if r.SHA256 == p.SHA256 && (!r.Added.Equal(at) || !r.Used.Equal(at)) {
				t.Errorf("added %v, used %v, want %v", r.Added, r.Used, at)
			}
		}
	}
	s.putChunks(t, p.Chunks[1:], part[mib:])
	if err := s.Complete(t.Context(), p); err != nil {
		t.Error(err)
	}
	put(t, s, whole) // cut anew: only the new index stays
	if st := s.Stats(); st.Blobs != 3 || st.Bytes != st.Logical {
		t.Errorf("stats %+v", st)
	}
	closed(t, s)
}
