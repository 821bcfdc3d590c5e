package forward

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReplay(t *testing.T) {
	small, large := strings.Repeat("0123456789", 500), strings.Repeat("0123456789", 20_000)
	for name, c := range map[string]struct {
		body  string
		reads []int // how much each attempt but the last one reads
		whole bool  // the last one gets everything
	}{
		"one attempt":           {large, nil, true},
		"nothing read":          {large, []int{0, 0}, true},
		"some read":             {large, []int{100, 50, 60_000}, true},
		"all of it read":        {small, []int{len(small), len(small)}, true},
		"up to the limit":       {large, []int{MaxReplay}, true},
		"one byte too many":     {large, []int{MaxReplay + 1}, false},
		"too many in the third": {large, []int{10, 0, len(large)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReplay(iotest.HalfReader(strings.NewReader(c.body)))
			for _, n := range c.reads {
				a, ok := r.next()
				if !ok {
					t.Fatal("refused too early")
				}
				got := make([]byte, n)
				if _, err := io.ReadFull(a, got); err != nil || string(got) != c.body[:n] {
					t.Fatalf("an attempt reads %d other bytes (%v)", n, err)
				}
			}
			a, ok := r.next()
			if ok != c.whole {
				t.Fatalf("another attempt: %v, want %v", ok, c.whole)
			}
			if !ok {
				return
			}
			if got, err := io.ReadAll(a); err != nil || string(got) != c.body {
				t.Errorf("the last attempt reads %d bytes of %d (%v)", len(got), len(c.body), err)
			}
		})
	}
}

func TestReplayWithoutBody(t *testing.T) {
	for range 2 {
		a, ok := newReplay(nil).next()
		if n, err := a.Read(make([]byte, 1)); !ok || n != 0 || err != io.EOF {
			t.Errorf("read %d, %v, %v", n, err, ok)
		}
	}
}

// TestReplayStaleReader has an attempt hang in a read, as a transport does whose
// request was refused early, while the next one has begun.
func TestReplayStaleReader(t *testing.T) {
	pr, pw := io.Pipe()
	r := newReplay(pr)
	first, _ := r.next()
	got := make(chan error)
	go func() {
		_, err := first.Read(make([]byte, 4))
		got <- err
	}()
	for r.reading.TryLock() { // until it hangs
		r.reading.Unlock()
	}
	second, ok := r.next()
	if !ok {
		t.Fatal("refused")
	}
	if err := r.failure(); err != nil { // does not hang
		t.Fatal(err)
	}
	go func() {
		_, _ = pw.Write([]byte("abcdefgh")) // what it returns is seen by the readers
		pw.CloseWithError(io.EOF)
	}()
	if err := <-got; !errors.Is(err, errRevoked) {
		t.Errorf("the first attempt goes on: %v", err)
	}
	if b, err := io.ReadAll(second); err != nil || string(b) != "abcdefgh" {
		t.Errorf("the second attempt reads %q, %v", b, err)
	}
}

func TestReplayTellsFailure(t *testing.T) {
	bad := errors.New("bad")
	r := newReplay(io.MultiReader(strings.NewReader("x"), iotest.ErrReader(bad)))
	a, _ := r.next()
	if _, err := io.ReadAll(a); !errors.Is(err, bad) || !errors.Is(r.failure(), bad) {
		t.Errorf("%v, %v", err, r.failure())
	}
}

func FuzzReplay(f *testing.F) {
	f.Add(uint64(1), 100_000)
	f.Add(uint64(2), 70_000)
	f.Add(uint64(3), 0)
	f.Add(uint64(57), 152) // a read of no bytes
	f.Fuzz(func(t *testing.T, seed uint64, size int) {
		if size < 0 || size > 200_000 {
			return
		}
		rnd := rand.New(rand.NewPCG(seed, 0))
		body := make([]byte, size)
		for i := range body {
			body[i] = byte(rnd.Uint32())
		}
		r := newReplay(bytes.NewReader(body))
		most := 0 // read by any attempt
		for range 5 {
			a, ok := r.next()
			if ok != (most <= MaxReplay) {
				t.Fatalf("another attempt: %v after %d bytes", ok, most)
			}
			if !ok {
				return
			}
			pos := 0
			for range rnd.IntN(6) {
				p := make([]byte, rnd.IntN(30_000))
				n, err := a.Read(p)
				if !bytes.Equal(p[:n], body[pos:pos+n]) {
					t.Fatalf("other bytes at %d", pos)
				}
				pos += n
				most = max(most, pos)
				if err == io.EOF {
					if pos != size {
						t.Fatalf("ends at %d of %d", pos, size)
					}
					break
				}
			}
		}
	})
}
