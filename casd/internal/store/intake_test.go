package store

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store/cut"
)

// However a body comes in, and wherever it meets the ends of slabs, it is cut at the
// same places.
func TestCutWhileItComes(t *testing.T) {
	readers := map[string]func(io.Reader) io.Reader{
		"whole":          func(r io.Reader) io.Reader { return r },
		"halves":         iotest.HalfReader,
		"with its end":   iotest.DataErrReader,
		"small pieces":   func(r io.Reader) io.Reader { return pieces{r, 1777} },
		"larger pieces":  func(r io.Reader) io.Reader { return pieces{r, 300_001} },
		"nothing at all": func(r io.Reader) io.Reader { return &hesitant{r: r} },
	}
	s := openStore(t, t.TempDir())
	for _, n := range []int{0, 1, api.MaxChunk, slabSize - 1, slabSize, slabSize + 1, 3*slabSize + 100} {
		body := noise(uint64(n), n)
		for _, size := range []int64{int64(n), -1} {
			want := cutAs(t, size, body)
			for name, reader := range readers {
				t.Run(fmt.Sprint(n, " as ", size, " in ", name), func(t *testing.T) {
					info, err := s.Put(t.Context(), reader(bytes.NewReader(body)), size, api.Digest{})
					if err != nil || info != (api.BlobInfo{SHA256: api.Sum(body), Size: int64(n)}) {
						t.Fatalf("%+v, %v", info, err)
					}
					if idx, err := s.Index(info.SHA256); err != nil || !slices.Equal(idx.Chunks, want) {
						t.Errorf("%d chunks, want %d (%v)", len(idx.Chunks), len(want), err)
					}
					if _, _, err := s.Remove(t.Context(), []api.Digest{info.SHA256}); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
	closed(t, s)
}

// cutAs cuts b as a blob that was announced with size bytes.
func cutAs(t *testing.T, size int64, b []byte) (out []api.BlobInfo) {
	t.Helper()
	cutter, err := cut.For(size)
	if err != nil {
		t.Fatal(err)
	}
	for len(b) > 0 {
		n := cutter.Next(b)
		out = append(out, api.BlobInfo{SHA256: api.Sum(b[:n]), Size: int64(n)})
		b = b[n:]
	}
	return out
}

// pieces reads at most n bytes at a time.
type pieces struct {
	r io.Reader
	n int
}

func (p pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), p.n)]) }

// hesitant reads nothing every other time.
type hesitant struct {
	r   io.Reader
	was bool
}

func (h *hesitant) Read(b []byte) (int, error) {
	if h.was = !h.was; h.was {
		return 0, nil
	}
	return h.r.Read(b[:min(len(b), 100_000)])
}
