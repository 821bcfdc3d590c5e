package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store/indexfile"
)

// damage is something that disks do to a file.
var damages = []struct {
	name string
	do   func(t *testing.T, path string)
}{
	{"first bit flipped", func(t *testing.T, p string) { edit(t, p, func(b []byte) []byte { b[0] ^= 1; return b }) }},
	{"middle bit flipped", func(t *testing.T, p string) { edit(t, p, func(b []byte) []byte { b[len(b)/2] ^= 0x80; return b }) }},
	{"last bit flipped", func(t *testing.T, p string) { edit(t, p, func(b []byte) []byte { b[len(b)-1] ^= 1; return b }) }},
	{"cut short", func(t *testing.T, p string) { edit(t, p, func(b []byte) []byte { return b[:len(b)-1] }) }},
	{"empty", func(t *testing.T, p string) { edit(t, p, func([]byte) []byte { return nil }) }},
	{"longer", func(t *testing.T, p string) { edit(t, p, func(b []byte) []byte { return append(b, 0) }) }},
	{"gone", func(t *testing.T, p string) {
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
	}},
}

func edit(t *testing.T, path string, fn func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, fn(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A damaged chunk is never read as something else; its blobs, all of them, count
// as missing until the chunk is back, and then read as before.
func TestDamagedChunk(t *testing.T) {
	common := noise(20, 300_000)
	blob := slices.Concat(noise(21, 300_000), common, noise(22, 500))
	other := slices.Concat(common, noise(23, 10))
	shared, sound := sharedChunk(t, blob, other)
	for _, tt := range damages {
		t.Run(tt.name, func(t *testing.T) {
			s := openStore(t, t.TempDir())
			d, e := put(t, s, blob), put(t, s, other)
			unhurt := put(t, s, noise(24, 300_000))
			tt.do(t, s.chunkPath(api.Sum(shared)))

			got, err := get(s, d)
			if !errors.Is(err, ErrDamaged) || !bytes.Equal(got, blob[:sound]) {
				t.Fatalf("read %d bytes, %v; want %d sound ones, then damage", len(got), err, sound)
			}
			for _, lost := range []api.Digest{d, e} {
				if _, err := s.Open(lost); !errors.Is(err, ErrNotFound) {
					t.Errorf("open %s: %v", lost.Short(), err)
				}
				if _, err := s.Partial(lost); err != nil {
					t.Errorf("partial %s: %v", lost.Short(), err)
				}
			}
			if _, err := get(s, unhurt); err != nil {
				t.Errorf("a blob without that chunk: %v", err)
			}
			if _, err := s.Chunk(api.Sum(shared)); !errors.Is(err, ErrNotFound) {
				t.Errorf("chunk: %v", err)
			}
			if st, again := s.Stats(), openStore(t, s.dir).Stats(); st.Blobs != 1 || st.Damaged != 2 || st.Partial != 2 || !same(st, again) {
				t.Errorf("stats %+v, counted again %+v", st, again)
			}

			idx, err := s.Partial(d)
			if err != nil {
				t.Fatal(err)
			}
			if m := s.Missing(idx); len(m) != 1 || m[0].SHA256 != api.Sum(shared) {
				t.Fatalf("missing: %v", m)
			}
			s.putChunks(t, s.Missing(idx), shared)
			if err := s.Complete(context.Background(), idx); err != nil {
				t.Fatal(err)
			}
			put(t, s, other) // sent once more by its owner
			for want, d := range map[string]api.Digest{string(blob): d, string(other): e} {
				if got, err := get(s, d); err != nil || string(got) != want {
					t.Errorf("mended %s: %d bytes, %v", d.Short(), len(got), err)
				}
			}
			if left := dirEntries(t, s.path(dirCorrupt)); len(left) != 0 {
				t.Errorf("kept after mending: %v", left)
			}
		})
	}
}

// A put does not trust what lies under the name of one of its chunks.
func TestPutMendsDamage(t *testing.T) {
	for _, tt := range damages {
		t.Run(tt.name, func(t *testing.T) {
			s := openStore(t, t.TempDir())
			b := noise(25, 300_000)
			d := put(t, s, b)
			tt.do(t, s.chunkPath(indexOf(t, b).Chunks[1].SHA256))
			put(t, s, b)
			if got, err := get(s, d); err != nil || !bytes.Equal(got, b) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

func TestDamagedIndex(t *testing.T) {
	other := noise(26, 10)
	tests := map[string]func([]byte) []byte{
		"empty":        func([]byte) []byte { return nil },
		"cut short":    func(b []byte) []byte { return b[:len(b)/2] },
		"longer":       func(b []byte) []byte { return append(b, 0) },
		"a bit":        func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
		"another blob": func([]byte) []byte { return encoded(t, indexOf(t, other)) },
		"too large":    func([]byte) []byte { return bytes.Repeat([]byte{' '}, indexfile.MaxSize+1) },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			for _, restart := range []bool{false, true} {
				s := openStore(t, t.TempDir())
				b := noise(27, 100_000)
				d := put(t, s, b)
				edit(t, s.indexPath(d, extWhole), change)
				if restart {
					s = openStore(t, s.dir)
				}
				if _, err := s.Open(d); !errors.Is(err, ErrNotFound) {
					t.Fatalf("open (restart %v): %v", restart, err)
				}
				if st := s.Stats(); st.Blobs != 0 {
					t.Errorf("stats (restart %v): %+v", restart, st)
				}
				put(t, s, b)
				if got, err := get(s, d); err != nil || !bytes.Equal(got, b) {
					t.Errorf("put again (restart %v): %v", restart, err)
				}
			}
		})
	}
}

// Bytes that were read before a chunk is lost stay right: the reader works on a
// checked copy.
func TestReaderKeepsItsCheckedChunk(t *testing.T) {
	s := openStore(t, t.TempDir())
	b := noise(28, 300_000)
	d := put(t, s, b)
	r, err := s.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got := make([]byte, 10)
	if _, err := io.ReadFull(r, got); err != nil {
		t.Fatal(err)
	}
	first := indexOf(t, b).Chunks[0]
	edit(t, s.chunkPath(first.SHA256), func(b []byte) []byte { clear(b); return b })
	rest, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(append(got, rest...), b) {
		t.Errorf("the rest after a loaded chunk: %d bytes, %v", len(rest), err)
	}
}

// sharedChunk returns a chunk that both blobs have, and how much of blob stands before it.
func sharedChunk(t *testing.T, blob, other []byte) (chunk []byte, before int) {
	t.Helper()
	for _, c := range indexOf(t, blob).Chunks {
		if slices.Contains(indexOf(t, other).Chunks, c) {
			return blob[before : before+int(c.Size)], before
		}
		before += int(c.Size)
	}
	t.Fatal("they share no chunk")
	return nil, 0
}

// same compares what is on disk.
func same(a, b Stats) bool {
	a.Corrupt, b.Corrupt = 0, 0
	return a == b
}

func encoded(t *testing.T, idx api.BlobIndex) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := indexfile.Write(&b, idx, time.Now()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestForeignFilesAreMovedAside(t *testing.T) {
	s := openStore(t, t.TempDir())
	foreign := filepath.Join(s.path(dirBlobs, "00"), "hello.txt")
	if err := os.WriteFile(foreign, []byte("hi"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = openStore(t, s.dir)
	if got := dirEntries(t, s.path(dirCorrupt)); !slices.Equal(got, []string{"hello.txt"}) {
		t.Errorf("moved aside: %v", got)
	}
}

// Whoever is to know of damage is told where it is met, once for each blob.
func TestDamageIsTold(t *testing.T) {
	s := openStore(t, t.TempDir())
	var told []api.Digest
	s.OnDamage(func(blobs []api.Digest) { told = append(told, blobs...) })
	for name, damage := range map[string]func(api.BlobIndex){
		"a chunk":        func(idx api.BlobIndex) { damages[1].do(t, s.chunkPath(idx.Chunks[1].SHA256)) },
		"a lost chunk":   func(idx api.BlobIndex) { _ = os.Remove(s.chunkPath(idx.Chunks[1].SHA256)) },
		"the index":      func(idx api.BlobIndex) { damages[1].do(t, s.indexPath(idx.SHA256, extWhole)) },
		"nothing at all": func(api.BlobIndex) {},
	} {
		told = nil
		d := put(t, s, noise(90+uint64(len(name)), 300_000))
		idx, err := s.Index(d)
		if err != nil {
			t.Fatal(err)
		}
		damage(idx)
		for range 2 {
			_, err = get(s, d)
		}
		if want := name != "nothing at all"; (err != nil) != want || want != slices.Equal(told, []api.Digest{d}) {
			t.Errorf("%s: read twice: %v, told of %v", name, err, told)
		}
	}
}
