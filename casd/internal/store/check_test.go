package store

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/realm-mesh/realm/api"
)

// checkAll runs through the store in steps of n chunks.
func checkAll(t *testing.T, s *Store, n int) (read int64, damaged []api.Digest, steps int) {
	t.Helper()
	var after api.Digest
	for {
		next, bytes, blobs, err := s.Check(t.Context(), after, n)
		if err != nil {
			t.Fatal(err)
		}
		read, damaged, steps = read+bytes, append(damaged, blobs...), steps+1
		if next.IsZero() {
			return read, damaged, steps
		}
		if next.Compare(after) <= 0 {
			t.Fatalf("after %s comes %s", after.Short(), next.Short())
		}
		after = next
	}
}

func TestCheckReadsEveryChunkOnce(t *testing.T) {
	s := openStore(t, t.TempDir())
	put(t, s, noise(130, 3*mib))
	st := s.Stats()
	for _, n := range []int{1, 7, 100, 100_000} {
		read, damaged, steps := checkAll(t, s, n)
		if read != st.Bytes || len(damaged) != 0 || steps != 1+int(st.Chunks-1)/n && steps != 1+int(st.Chunks)/n {
			t.Errorf("%d at a time: %d bytes in %d steps, damaged %v", n, read, steps, damaged)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, _, err := s.Check(ctx, api.Digest{}, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

// Check finds what disks do, before anybody reads it, and names the blobs.
func TestCheckFindsDamage(t *testing.T) {
	common := noise(131, 200_000)
	blob, other := slices.Concat(noise(132, 300_000), common), slices.Concat(common, noise(133, 1000))
	shared, _ := sharedChunk(t, blob, other)
	for _, tt := range damages {
		t.Run(tt.name, func(t *testing.T) {
			s := openStore(t, t.TempDir())
			d, e, unhurt := put(t, s, blob), put(t, s, other), put(t, s, noise(134, 300_000))
			tt.do(t, s.chunkPath(api.Sum(shared)))

			_, damaged, _ := checkAll(t, s, 10)
			slices.SortFunc(damaged, api.Digest.Compare)
			want := []api.Digest{d, e}
			slices.SortFunc(want, api.Digest.Compare)
			if !slices.Equal(damaged, want) {
				t.Errorf("damaged: %v, want %v", damaged, want)
			}
			for _, d := range want {
				if _, err := s.Open(d); !errors.Is(err, ErrNotFound) {
					t.Errorf("open: %v", err)
				}
			}
			if _, err := get(s, unhurt); err != nil {
				t.Errorf("the sound one: %v", err)
			}
			if err := s.fetch(indexOf(t, blob), blob); err != nil {
				t.Fatal(err)
			}
			if err := s.Complete(t.Context(), indexOf(t, other)); err != nil {
				t.Errorf("the other has all of it now: %v", err)
			}
			if _, damaged, _ := checkAll(t, s, 10); len(damaged) != 0 {
				t.Errorf("mended, still damaged: %v", damaged)
			}
			if st := s.Stats(); st.Blobs != 3 || st.Damaged != 0 {
				t.Errorf("stats %+v", st)
			}
			closed(t, s)
		})
	}
}

// Of many damaged files only some are kept.
func TestFewFilesAreKeptAside(t *testing.T) {
	s := openStore(t, t.TempDir())
	put(t, s, noise(135, 3*mib))
	hurt := 0
	for i := range 256 {
		if err := s.eachFile(dirChunks, i, func(path, _ string) error {
			hurt++
			return os.Truncate(path, 10)
		}); err != nil {
			t.Fatal(err)
		}
	}
	checkAll(t, s, 1000)
	if n := len(dirEntries(t, s.path(dirCorrupt))); n != maxAside || hurt < 2*maxAside {
		t.Errorf("%d of %d are kept", n, hurt)
	}
	if st := s.Stats(); st.Chunks != 0 || st.Bytes != 0 || st.Corrupt != int64(hurt) {
		t.Errorf("stats %+v", st)
	}
}
