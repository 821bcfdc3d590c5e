package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
)

func TestPutAndRead(t *testing.T) {
	for i, size := range []int{0, 1, 4 << 10, mib, 2*mib + 1, 5*mib + 12345} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			s := openStore(t, t.TempDir())
			b := noise(uint64(i), size)
			d := put(t, s, b)

			got, err := get(s, d)
			if err != nil || !bytes.Equal(got, b) {
				t.Fatalf("read %d bytes, %v; want %d", len(got), err, size)
			}
			chunks := int64(len(indexOf(t, b).Chunks))
			if st := s.Stats(); st != (Stats{Blobs: 1, Chunks: chunks, Bytes: int64(size), Logical: int64(size)}) {
				t.Errorf("stats %+v", st)
			}
			if n := len(files(t, s)); n != int(chunks)+1 {
				t.Errorf("%d files: want %d chunks and an index: %v", n, chunks, files(t, s))
			}
			r, err := s.Open(d)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if size <= mib { // it reads byte by byte as well
				if err := iotest.TestReader(r, b); err != nil {
					t.Error(err)
				}
			}
			again := openStore(t, s.dir)
			if st := again.Stats(); st != s.Stats() {
				t.Errorf("opened again: stats %+v, want %+v", st, s.Stats())
			}
			if all, err := again.Blobs(); err != nil || !slices.Equal(all, []api.Digest{d}) {
				t.Errorf("opened again: %v, %v", all, err)
			}
		})
	}
}

func TestReaderRanges(t *testing.T) {
	s := openStore(t, t.TempDir())
	b := noise(1, 2*mib+77)
	d := put(t, s, b)
	r, err := s.Open(d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		from := rng.IntN(len(b))
		n := 1 + rng.IntN(min(len(b)-from, 2*mib))
		if _, err := r.Seek(int64(from), io.SeekStart); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, n)
		if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, b[from:from+n]) {
			t.Fatalf("bytes %d+%d differ (%v)", from, n, err)
		}
	}
	if _, err := r.Seek(-1, io.SeekStart); err == nil {
		t.Error("seek before the start succeeded")
	}
	if _, err := r.Seek(5, io.SeekEnd); err != nil {
		t.Error(err)
	}
	if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read past the end: %d, %v", n, err)
	}
}

func TestChunksAreStoredOnce(t *testing.T) {
	s := openStore(t, t.TempDir())
	put(t, s, make([]byte, 20*mib))
	if st := s.Stats(); st.Chunks > 2 || st.Bytes > mib || st.Logical != 20*mib {
		t.Errorf("20 MiB of zeros: %+v", st)
	}
	before := s.Stats()
	shared := noise(2, 2*mib)
	put(t, s, slices.Concat(noise(3, 1000), shared))
	put(t, s, slices.Concat(noise(4, 70_000), shared, noise(5, 10)))
	if st := s.Stats(); st.Blobs != 3 || st.Bytes-before.Bytes > 2*mib+500_000 {
		t.Errorf("two blobs that share 2 MiB: %+v", st)
	}
}

// A put that fails keeps nothing, whatever the reason.
func TestFailedPutKeepsNothing(t *testing.T) {
	broken := errors.New("broken")
	small := noise(5, 700_005)
	tests := []struct {
		name string
		body io.Reader
		size int64
		want api.Digest
		err  error
	}{
		{"other digest", bytes.NewReader(small), -1, api.Sum([]byte("other")), ErrMismatch},
		{"reader fails", io.MultiReader(bytes.NewReader(small), iotest.ErrReader(broken)), -1, api.Digest{}, broken},
		// This is what an HTTP body says when its sender went away.
		{"body cut short", io.MultiReader(bytes.NewReader(small), iotest.ErrReader(io.ErrUnexpectedEOF)), -1, api.Digest{}, io.ErrUnexpectedEOF},
		{"too large", io.LimitReader(zeros{}, mib+1), -1, api.Digest{}, api.ErrTooLarge},
		{"announced as too large", bytes.NewReader(small), mib + 1, api.Digest{}, api.ErrTooLarge},
		{"longer than announced", bytes.NewReader(small), 700_000, api.Digest{}, ErrMismatch},
		{"shorter than announced", bytes.NewReader(small), 700_006, api.Digest{}, ErrMismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := openStore(t, t.TempDir())
			s.maxBlob = mib
			kept := put(t, s, noise(6, mib))
			before := files(t, s)
			if _, err := s.Put(context.Background(), tt.body, tt.size, tt.want); !errors.Is(err, tt.err) {
				t.Fatalf("put: %v, want %v", err, tt.err)
			}
			if after := files(t, s); !slices.Equal(before, after) {
				t.Errorf("files %v, before %v", after, before)
			}
			if _, err := get(s, kept); err != nil {
				t.Errorf("what was there before: %v", err)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestPutEndsWithItsContext(t *testing.T) {
	s := openStore(t, t.TempDir())
	ctx, cancel := context.WithCancel(context.Background())
	body := &afterReads{r: zeros{}, n: 3, do: cancel}
	if _, err := s.Put(ctx, body, -1, api.Digest{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("put: %v", err)
	}
	if left := files(t, s); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// afterReads calls do once, after n reads.
type afterReads struct {
	r  io.Reader
	n  int
	do func()
}

func (a *afterReads) Read(p []byte) (int, error) {
	if a.n--; a.n == 0 {
		a.do()
	}
	return a.r.Read(p)
}

func TestConcurrentPuts(t *testing.T) {
	s := openStore(t, t.TempDir())
	same := noise(7, 700_000)
	var g errgroup.Group
	for i := range 24 {
		g.Go(func() error {
			b := same
			if i%3 == 0 { // shares its first chunks with the others
				b = append(slices.Clone(same), byte(i))
			}
			info, err := s.Put(context.Background(), bytes.NewReader(b), int64(len(b)), api.Sum(b))
			if err != nil {
				return err
			}
			got, err := get(s, info.SHA256)
			if err == nil && !bytes.Equal(got, b) {
				err = errors.New("other bytes")
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	// All but the tails of the 9 different blobs is there once.
	if st := s.Stats(); st.Blobs != 9 || st.Bytes > int64(len(same))+9*64<<10 {
		t.Errorf("stats %+v", st)
	}
	if left := dirEntries(t, s.path(dirTemp)); len(left) != 0 {
		t.Errorf("left in tmp: %v", left)
	}
	if st, again := s.Stats(), openStore(t, s.dir).Stats(); st != again {
		t.Errorf("stats %+v, counted again %+v", st, again)
	}
}

func TestNotHere(t *testing.T) {
	s := openStore(t, t.TempDir())
	for _, d := range []api.Digest{{}, api.Sum([]byte("x"))} {
		if _, err := s.Open(d); !errors.Is(err, ErrNotFound) {
			t.Errorf("open %v: %v", d, err)
		}
		if _, err := s.Index(d); !errors.Is(err, ErrNotFound) {
			t.Errorf("index %v: %v", d, err)
		}
		if _, err := s.Chunk(d); !errors.Is(err, ErrNotFound) {
			t.Errorf("chunk %v: %v", d, err)
		}
	}
}

// What a crash can leave behind is gone after Recover, and only that.
func TestRecoverThrowsAwayWhatIsHalfWritten(t *testing.T) {
	s := openStore(t, t.TempDir())
	b := noise(8, 2*mib)
	d := put(t, s, b)
	begun := s.fakeFetch(t, noise(9, 3*mib), 1)
	orphan := noise(10, 100)
	junk := []string{
		s.path(dirTemp, "f1"),
		s.chunkPath(api.Sum(orphan)),
		filepath.Join(s.folder(dirChunks, d), "not-a-digest"),
		s.path(dirTemp, "f2", "deep"),
	}
	for _, p := range junk {
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o700), os.WriteFile(p, orphan, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	s = openStore(t, s.dir)
	for _, p := range junk {
		if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there (%v)", p, err)
		}
	}
	if got, err := get(s, d); err != nil || !bytes.Equal(got, b) {
		t.Errorf("the whole blob: %d bytes, %v", len(got), err)
	}
	if n := len(s.Missing(begun)); n != len(begun.Chunks)-1 {
		t.Errorf("the begun blob lacks %d chunks, want %d", n, len(begun.Chunks)-1)
	}
	if st := s.Stats(); st.Blobs != 1 || st.Partial != 1 || st.Logical != 2*mib || st.Bytes != 2*mib+begun.Chunks[0].Size {
		t.Errorf("stats %+v", st)
	}
}

func TestPartialBlobs(t *testing.T) {
	s := openStore(t, t.TempDir())
	b := noise(11, 2*mib+9)
	last := indexOf(t, b).Chunks
	tail := b[len(b)-int(last[len(last)-1].Size):]
	idx := s.fakeFetch(t, b, len(last)-1)
	if _, err := s.Open(idx.SHA256); !errors.Is(err, ErrNotFound) {
		t.Fatalf("open half a blob: %v", err)
	}
	if got, err := s.Partial(idx.SHA256); err != nil || !slices.Equal(got.Chunks, idx.Chunks) {
		t.Fatalf("partial: %+v, %v", got, err)
	}
	last = last[len(last)-1:]
	if got := s.Missing(idx); !slices.Equal(got, last) {
		t.Fatalf("missing: %v", got)
	}
	if err := s.Complete(context.Background(), idx); !errors.Is(err, ErrDamaged) {
		t.Fatalf("complete without its last chunk: %v", err)
	}
	wrong := slices.Clone(tail)
	wrong[0] ^= 1
	for _, bad := range [][]byte{wrong, nil, tail[1:]} {
		if err := s.PutChunk(last[0], bad); !errors.Is(err, ErrMismatch) {
			t.Errorf("put %d wrong bytes: %v", len(bad), err)
		}
	}
	s.putChunks(t, last, tail)
	if err := s.Complete(context.Background(), idx); err != nil {
		t.Fatal(err)
	}
	if got, err := get(s, idx.SHA256); err != nil || !bytes.Equal(got, b) {
		t.Errorf("completed: %d bytes, %v", len(got), err)
	}
	if _, err := s.Partial(idx.SHA256); !errors.Is(err, ErrNotFound) {
		t.Errorf("still partial: %v", err)
	}
	if err := s.Begin(idx); err != nil {
		t.Error(err)
	}
	if _, err := s.Partial(idx.SHA256); !errors.Is(err, ErrNotFound) {
		t.Errorf("a whole blob was begun again: %v", err)
	}
}

// An index that does not lead to the blob is noticed, and what it brought goes.
func TestLyingIndex(t *testing.T) {
	s := openStore(t, t.TempDir())
	shared := noise(12, mib)
	put(t, s, shared)
	before := s.Stats()
	lie := slices.Concat(shared, noise(13, mib), noise(14, 100))
	idx := indexOf(t, lie)
	idx.SHA256 = api.Sum([]byte("what was asked for"))
	if err := s.Begin(idx); err != nil {
		t.Fatal(err)
	}
	s.putChunks(t, idx.Chunks, lie)
	if err := s.Complete(context.Background(), idx); !errors.Is(err, ErrMismatch) {
		t.Fatalf("complete: %v", err)
	}
	// Another index of the same blob replaces the lie; what only the lie lists goes.
	other := indexOf(t, slices.Concat(shared, lie[2*mib:]))
	other.SHA256 = idx.SHA256
	if err := s.Begin(other); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Bytes > mib+200_000 || st.Partial != 1 {
		t.Errorf("after the second index: %+v", st)
	}
	if err := s.Abandon(idx.SHA256); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st != before {
		t.Errorf("after giving up: %+v, want %+v", st, before)
	}
	if got, err := get(s, api.Sum(shared)); err != nil || !bytes.Equal(got, shared) {
		t.Errorf("the blob that shares a chunk: %v", err)
	}
	if err := s.Abandon(idx.SHA256); err != nil {
		t.Errorf("giving up twice: %v", err)
	}
}

func TestIndexSizesAreChecked(t *testing.T) {
	s := openStore(t, t.TempDir())
	b := noise(15, 2*mib)
	idx := indexOf(t, b)
	size := idx.Chunks[0].Size
	idx.Chunks[0].Size--
	idx.Chunks[1].Size--
	idx.Size -= 2
	if err := s.Begin(idx); err != nil {
		t.Fatal(err)
	}
	if err := s.PutChunk(idx.Chunks[0], b[:size]); !errors.Is(err, ErrMismatch) {
		t.Errorf("a chunk of another size: %v", err)
	}
	put(t, s, b) // the chunks are here, the begun index is wrong about their sizes
	if err := s.Complete(context.Background(), idx); err == nil || !strings.Contains(err.Error(), "bytes, the index says") {
		t.Errorf("complete: %v", err)
	}
}
