package store

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
)

func bytesOf(r *Reader) ([]byte, error) {
	var b bytes.Buffer
	_, err := r.WriteTo(&b)
	return b.Bytes(), err
}

// bigWrites notes how large the writes are.
type bigWrites struct {
	bytes.Buffer
	writes int
}

func (w *bigWrites) Write(p []byte) (int, error) {
	w.writes++
	return w.Buffer.Write(p)
}

func TestWriteTo(t *testing.T) {
	s := openStore(t, t.TempDir())
	b := noise(140, 9*mib+5)
	d := put(t, s, b)
	r, err := s.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var w bigWrites
	if n, err := r.WriteTo(&w); err != nil || n != int64(len(b)) || !bytes.Equal(w.Bytes(), b) {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if most := len(b)/(900<<10) + 3; w.writes > most {
		t.Errorf("%d writes, want %d at most", w.writes, most)
	}
	for range 50 {
		from := rand.IntN(len(b))
		n := rand.IntN(3 * mib)
		var w bytes.Buffer
		if _, err := r.Seek(int64(from), io.SeekStart); err != nil {
			t.Fatal(err)
		}
		want := b[from:min(len(b), from+n)]
		if m, err := r.WriteN(&w, int64(n)); err != nil || m != int64(len(want)) || !bytes.Equal(w.Bytes(), want) {
			t.Fatalf("%d bytes from %d: %d, %v", n, from, m, err)
		}
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	full := errors.New("full")
	if n, err := r.WriteTo(writerFunc(func(p []byte) (int, error) { return 3, full })); n != 3 || !errors.Is(err, full) {
		t.Errorf("a writer that is full: %d, %v", n, err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Damage in what is read ahead does not reach what comes before it.
func TestDamageAhead(t *testing.T) {
	s := openStore(t, t.TempDir())
	b := noise(141, 8*mib)
	idx := indexOf(t, b)
	for _, at := range []int{1, len(idx.Chunks) / 2, len(idx.Chunks) - 1} {
		d := put(t, s, b)
		sound := int64(0)
		for _, c := range idx.Chunks[:at] {
			sound += c.Size
		}
		edit(t, s.chunkPath(idx.Chunks[at].SHA256), func(b []byte) []byte { b[7] ^= 1; return b })
		r, err := s.Open(d)
		if err != nil {
			t.Fatal(err)
		}
		var w bytes.Buffer
		if n, err := r.WriteTo(&w); !errors.Is(err, ErrDamaged) || n != sound || !bytes.Equal(w.Bytes(), b[:sound]) {
			t.Errorf("chunk %d is damaged: %d bytes, %v; want %d", at, n, err, sound)
		}
		r.Close()
	}
	put(t, s, b)
	closed(t, s)
}

// Many readers and puts at once share the spare buffers, and none waits for another.
func TestManyAtOnce(t *testing.T) {
	s := openStore(t, t.TempDir())
	b := noise(142, 5*mib)
	d := put(t, s, b)
	var readers []*Reader
	for range 40 {
		r, err := s.Open(d)
		if err != nil {
			t.Fatal(err)
		}
		readers = append(readers, r)
		if _, err := io.CopyN(io.Discard, r, 2*mib); err != nil { // and stays there
			t.Fatal(err)
		}
	}
	var g errgroup.Group
	for i := range uint64(8) {
		g.Go(func() error {
			b := noise(150+i, 6*mib)
			_, err := s.Put(t.Context(), bytes.NewReader(b), -1, api.Sum(b))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, r := range readers {
		if rest, err := bytesOf(r); err != nil || !bytes.Equal(rest, b[2*mib:]) {
			t.Errorf("the rest: %d bytes, %v", len(rest), err)
		}
		r.Close()
		r.Close() // twice is once
	}
	closed(t, s)
}

func TestReadChunk(t *testing.T) {
	s := openStore(t, t.TempDir())
	b := noise(143, 20_000)
	put(t, s, b)
	buf := make([]byte, api.MaxChunk)
	for _, c := range indexOf(t, b).Chunks {
		got, err := s.ReadChunk(c.SHA256, buf)
		if err != nil || api.Sum(got) != c.SHA256 {
			t.Errorf("chunk %s: %d bytes, %v", c.SHA256.Short(), len(got), err)
		}
	}
}
