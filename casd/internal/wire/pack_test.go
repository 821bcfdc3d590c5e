package wire

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"github.com/realm-mesh/realm/api"
)

// code is n bytes that look like a program's: few different words in any order.
func code(seed byte, n int) []byte {
	r := rand.New(rand.NewChaCha8([32]byte{seed}))
	b := make([]byte, 0, n+8)
	for len(b) < n {
		b = append(b, 0x48, 0x8b, byte(r.IntN(8)), 0xe8, byte(r.Uint32()), byte(r.IntN(16)), 0, 0)
	}
	return b[:n]
}

func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	return b
}

func unpack(t testing.TB, r io.Reader, history []byte) ([]byte, error) {
	t.Helper()
	u, err := Unpack(r, history)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	return io.ReadAll(u)
}

func TestPackedIsUnpacked(t *testing.T) {
	p := NewPacker()
	for name, b := range map[string][]byte{"nothing": nil, "a byte": {7}, "code": code(1, PackSize+api.MaxChunk), "noise": noise(1, PackSize)} {
		frames := p.Pack(p.Pack(nil, b), code(2, 1000))
		got, err := unpack(t, iotest.HalfReader(bytes.NewReader(frames)), nil)
		if err != nil || !bytes.Equal(got, slices.Concat(b, code(2, 1000))) {
			t.Errorf("%s: %d bytes of %d, %v", name, len(got), len(b), err)
		}
	}
}

// What both have is not sent, even where nothing in it repeats.
func TestPackedBesideHistory(t *testing.T) {
	p := NewPacker()
	history := noise(3, MaxHistory)
	b := slices.Concat(history[MaxHistory-PackSize:], noise(4, 1000))
	frame, err := p.PackBeside(nil, b, history)
	if err != nil || len(frame) > len(b)/100 {
		t.Fatalf("%d bytes of %d, %v", len(frame), len(b), err)
	}
	got, err := unpack(t, bytes.NewReader(frame), history)
	if err != nil || !bytes.Equal(got, b) {
		t.Errorf("%d bytes of %d, %v", len(got), len(b), err)
	}
	if got, err := unpack(t, bytes.NewReader(frame), nil); !errors.Is(err, ErrBroken) {
		t.Errorf("without the history: %d bytes, %v", len(got), err)
	}
	if got, err := unpack(t, bytes.NewReader(frame), noise(5, MaxHistory)); err == nil && bytes.Equal(got, b) {
		t.Error("another history led to the same bytes")
	}
	if frame, err = p.PackBeside(nil, code(6, 5000), history); err != nil {
		t.Fatal(err)
	}
	if got, err := unpack(t, bytes.NewReader(frame), history); err != nil || !bytes.Equal(got, code(6, 5000)) {
		t.Errorf("nothing in common: %v", err)
	}
}

func TestWorth(t *testing.T) {
	p := NewPacker()
	if !p.Worth(code(1, 100<<10)) || p.Worth(noise(1, 100<<10)) || p.Worth(nil) {
		t.Error("code should be packed, noise and nothing not")
	}
}

func TestBrokenPacks(t *testing.T) {
	p := NewPacker()
	b := code(1, 300<<10)
	good := p.Pack(nil, b)
	if _, err := unpack(t, bytes.NewReader(good[:len(good)/2]), nil); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut: %v", err)
	}
	if _, err := unpack(t, strings.NewReader("hello, this is no frame"), nil); !errors.Is(err, ErrBroken) {
		t.Errorf("no frame: %v", err)
	}
	away := errors.New("away")
	if _, err := unpack(t, io.MultiReader(bytes.NewReader(good[:len(good)/2]), iotest.ErrReader(away)), nil); !errors.Is(err, away) || errors.Is(err, ErrBroken) {
		t.Errorf("the connection breaks: %v", err)
	}
}

// A few bytes that want a gigabyte of memory, or unpack to one, get neither.
func TestBombs(t *testing.T) {
	var wide bytes.Buffer
	w, err := zstd.NewWriter(&wide, zstd.WithWindowSize(64<<20), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 128 {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := unpack(t, &wide, nil); !errors.Is(err, ErrBroken) {
		t.Errorf("a wide window: %v", err)
	}
	p := NewPacker()
	frame := p.Pack(nil, zeros)
	u, err := Unpack(bytes.NewReader(bytes.Repeat(frame, 1024)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c := NewChunks(u)
	if err := c.Next(make([]byte, 5)); !errors.Is(err, ErrBroken) {
		t.Errorf("%v", err)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
		t.Errorf("%d bytes of memory", n)
	}
}

func TestHistoryNames(t *testing.T) {
	var names []api.Digest
	for i := range MaxNames {
		names = append(names, api.Sum([]byte{byte(i)}))
	}
	for _, n := range []int{0, 1, MaxNames} {
		got, err := ReadHistory(NameHistory(names[:n]))
		if err != nil || !slices.Equal(got, names[:n]) {
			t.Errorf("%d names: %d, %v", n, len(got), err)
		}
	}
	for _, bad := range []string{"hello", "aGVsbG8=", strings.Repeat("A", 1<<20)} {
		if _, err := ReadHistory(bad); !errors.Is(err, ErrBroken) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	p := NewPacker()
	history := code(1, 20<<10)
	beside, err := p.PackBeside(nil, code(1, 9000), history)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(p.Pack(nil, append(AppendHead(nil, 9), "some text"...)))
	f.Add(p.Pack(nil, code(2, 3000)))
	f.Add(beside)
	f.Add([]byte("\x28\xb5\x2f\xfd"))
	f.Fuzz(func(t *testing.T, in []byte) {
		u, err := Unpack(bytes.NewReader(in), history)
		if err != nil {
			t.Fatal(err)
		}
		defer u.Close()
		const most = 1 << 20
		n, err := io.Copy(io.Discard, io.LimitReader(u, most))
		if n > most || errors.Is(err, io.EOF) {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
}

func FuzzReadHistory(f *testing.F) {
	f.Add(NameHistory([]api.Digest{api.Sum(nil)}))
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, in string) {
		names, err := ReadHistory(in)
		if err != nil {
			return
		}
		again, err := ReadHistory(NameHistory(names))
		if err != nil || !slices.Equal(names, again) || len(names) > MaxNames {
			t.Errorf("%d names, %v", len(names), err)
		}
	})
}
