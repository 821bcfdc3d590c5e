package bridge

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"testing"

	"github.com/realm-mesh/realm/api"
)

// TestLargeBody passes 64 MiB each way and looks at the memory in between.
func TestLargeBody(t *testing.T) {
	const size = 64 << 20
	w := newWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		if err != nil {
			t.Error(err)
		}
		rw.Header().Set("Sum", fmt.Sprintf("%x %d", sum.Sum(nil), n))
		_, _ = io.CopyN(rw, zeros{}, size)
	}))
	var before, most runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)

	sum := sha256.New()
	up := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{}), size), sum)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.path(t, api.ServiceCall, "/components/web"), up)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if want := fmt.Sprintf("%x %d", sum.Sum(nil), size); resp.Header.Get("Sum") != want {
		t.Errorf("%s has arrived; want %s", resp.Header.Get("Sum"), want)
	}
	var got int64
	for range 8 {
		n, err := io.CopyN(io.Discard, resp.Body, size/8)
		if got += n; err != nil {
			t.Fatal(err)
		}
		var now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&now)
		if now.HeapAlloc > most.HeapAlloc {
			most = now
		}
	}
	if got != size {
		t.Errorf("%d bytes came back; want %d", got, size)
	}
	if grown := int64(most.HeapAlloc) - int64(before.HeapAlloc); grown > 24<<20 {
		t.Errorf("the heap has grown by %d MiB for a body of %d", grown>>20, size>>20)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
