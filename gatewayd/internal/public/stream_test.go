package public_test

import (
	"context"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"runtime"
	"testing"
	"time"
)

const streamed = 64 << 20 // bytes

// pattern is an endless stream of bytes that comes back to its beginning after a
// number of them that divides no buffer.
type pattern struct{ pos int }

var period = func() []byte {
	b := make([]byte, 65_537)
	for i := range b {
		b[i] = byte(i ^ i>>8)
	}
	return b
}()

func (p *pattern) Read(b []byte) (int, error) {
	n := copy(b, period[p.pos:])
	p.pos = (p.pos + n) % len(period)
	return n, nil
}

func sum(r io.Reader) (int64, hash.Hash32, error) {
	h := crc32.NewIEEE()
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, r, make([]byte, 32<<10))
	return n, h, err
}

// TestStreams moves 64 MiB up and 64 MiB down and watches how much memory the
// process, which is client, gateway and runnerd in one, holds at the most.
func TestStreams(t *testing.T) { both(t, testStreams) }

func testStreams(t *testing.T, over protocol) {
	_, want, _ := sum(io.LimitReader(&pattern{}, streamed))
	sums := make(chan uint32, 1)
	w := newWorldOver(t, over, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, h, err := sum(r.Body)
			if err == nil {
				sums <- h.Sum32()
			}
			return
		}
		_, _ = io.Copy(struct{ io.Writer }{rw}, io.LimitReader(&pattern{}, streamed))
	}), hello)

	peak := watchHeap(t)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/hello/", io.LimitReader(&pattern{}, streamed))
	resp, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := <-sums; got != want.Sum32() || resp.StatusCode != http.StatusOK {
		t.Errorf("upload: %s, other bytes", resp.Status)
	}
	resp, err = w.client.Get(w.url + "/hello/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, h, err := sum(resp.Body); err != nil || n != streamed || h.Sum32() != want.Sum32() {
		t.Errorf("download: %d bytes, %v", n, err)
	}
	if most := peak(); most > 8<<20 {
		t.Errorf("the heap grew by %d KiB while streaming", most>>10)
	} else {
		t.Logf("the heap grew by %d KiB", most>>10)
	}
}

// watchHeap samples the live heap; the function it returns ends that and tells by
// how much it grew at the most.
func watchHeap(t *testing.T) (most func() int64) {
	t.Helper()
	live := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	least, peak := live(), int64(0)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			now := live()
			least, peak = min(least, now), max(peak, now)
			time.Sleep(10 * time.Millisecond)
		}
	}()
	return func() int64 {
		cancel()
		<-done
		return peak - least
	}
}

// TestSlowReaderHoldsBack wants a program's output to stop while nobody takes it.
func TestSlowReaderHoldsBack(t *testing.T) { both(t, testSlowReaderHoldsBack) }

func testSlowReaderHoldsBack(t *testing.T, over protocol) {
	wrote := make(chan int, 1)
	w := newWorldOver(t, over, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		c := http.NewResponseController(rw)
		n, block := 0, make([]byte, 64<<10)
		for n < streamed {
			_ = c.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
			m, err := rw.Write(block)
			n += m
			if err != nil {
				break
			}
		}
		wrote <- n
	}), hello)
	resp, err := w.client.Get(w.url + "/hello/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n := <-wrote; n > streamed/2 { // what sockets and buffers hold
		t.Errorf("%d KiB were written although nobody reads", n>>10)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Errorf("the client takes half an answer for a whole one: %v", err)
	}
}
