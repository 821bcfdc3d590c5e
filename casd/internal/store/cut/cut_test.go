package cut

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/realm-mesh/realm/api"
)

// noise is n bytes that look random.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(b) // never fails
	return b
}

func cutUp(t testing.TB, size int64, b []byte) (chunks [][]byte) {
	t.Helper()
	c, err := For(size)
	if err != nil {
		t.Fatal(err)
	}
	for len(b) > 0 {
		n := c.Next(b)
		chunks = append(chunks, b[:n])
		b = b[n:]
	}
	return chunks
}

// All nodes cut at these places: a change to them parts new stores from old ones.
func TestPlacesStay(t *testing.T) {
	b := noise(8 << 20)
	for size, want := range map[int64]string{
		0:                "410 06240cf9",
		FineLimit:        "410 06240cf9",
		FineLimit + 1:    "55 38e8aedf",
		ProgramLimit:     "55 38e8aedf",
		ProgramLimit + 1: "16 88e18fe2",
		api.MaxBlob:      "16 88e18fe2",
		-1:               "16 88e18fe2",
	} {
		sum := sha256.New()
		chunks := cutUp(t, size, b)
		for _, c := range chunks {
			fmt.Fprintln(sum, len(c))
		}
		if got := fmt.Sprint(len(chunks), " ", hex.EncodeToString(sum.Sum(nil)[:4])); got != want {
			t.Errorf("a blob of %d bytes: %s, want %s", size, got, want)
		}
	}
}

func TestSizes(t *testing.T) {
	inputs := map[string][]byte{"noise": noise(4 << 20), "zeros": make([]byte, 4<<20), "text": bytes.Repeat([]byte("all work and no play "), 200_000)}
	for name, b := range inputs {
		for size, s := range map[int64]sizes{0: fine(), FineLimit + 1: medium(), -1: coarse()} {
			chunks := cutUp(t, size, b)
			for i, c := range chunks {
				if len(c) > s.max || len(c) < s.min && i < len(chunks)-1 {
					t.Errorf("%s: chunk %d has %d bytes, want %d to %d", name, i, len(c), s.min, s.max)
				}
			}
			if !bytes.Equal(slices.Concat(chunks...), b) {
				t.Errorf("%s: the chunks are not the blob", name)
			}
		}
	}
	for n := range 100 {
		if got := cutUp(t, int64(n), noise(n)); n > 0 && len(got) != 1 {
			t.Errorf("%d bytes: %d chunks", n, len(got))
		}
	}
	for size, most := range map[int64]int{FineLimit: api.MaxChunks, ProgramLimit: api.MaxChunks, api.MaxBlob: api.MaxChunks} {
		c, err := For(size)
		if err != nil {
			t.Fatal(err)
		}
		if n := size / int64(c.opts.MinSize); n > int64(most) || c.Max() > api.MaxChunk {
			t.Errorf("a blob of %d bytes may have %d chunks of up to %d, want %d", size, n, c.Max(), most)
		}
	}
}

// A byte that is put in, taken out or changed leaves nearly all chunks as they were.
func TestChangesStayLocal(t *testing.T) {
	b := noise(24 << 20)
	mid := len(b) / 2
	changed := slices.Clone(b)
	changed[mid] ^= 1
	for name, after := range map[string][]byte{
		"put in":    slices.Concat(b[:mid], []byte{1}, b[mid:]),
		"taken out": slices.Concat(b[:mid], b[mid+1:]),
		"changed":   changed,
		"in front":  slices.Concat(make([]byte, 100), b),
	} {
		for size, most := range map[int64]int{0: 400 << 10, FineLimit + 1: 2 << 20, -1: 5 << 20} {
			had := map[[32]byte]bool{}
			for _, c := range cutUp(t, size, b) {
				had[sha256.Sum256(c)] = true
			}
			moved := 0
			for _, c := range cutUp(t, size, after) {
				if !had[sha256.Sum256(c)] {
					moved += len(c)
				}
			}
			if moved > most {
				t.Errorf("%s: %d bytes of %d are in new chunks, want %d at most", name, moved, len(after), most)
			}
		}
	}
}

func BenchmarkCut(b *testing.B) {
	data := noise(32 << 20)
	for name, size := range map[string]int64{"fine": 0, "medium": FineLimit + 1, "coarse": -1} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				cutUp(b, size, data)
			}
		})
	}
}
