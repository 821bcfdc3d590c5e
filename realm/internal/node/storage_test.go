package node

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/realm/internal/nodetest"
)

// casd answers one route of casd as answer does.
func casd(t *testing.T, route string, answer http.HandlerFunc) *Node {
	t.Helper()
	h, _ := nodetest.Bus(t)
	n, err := Dial(nodetest.Context(t), h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	mux := http.NewServeMux()
	mux.HandleFunc(route, answer)
	time.AfterFunc(100*time.Millisecond, func() { nodetest.HTTP(t, h, api.Casd, mux) }) // it is not up yet
	return n
}

func TestStorage(t *testing.T) {
	n := casd(t, api.RouteStorage, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"dir":"/d","blobs":3,"quota":7,"of_a_newer_version":true}`)
	})
	if s, err := n.Storage(nodetest.Context(t)); err != nil || s.Dir != "/d" || s.Blobs != 3 || s.Quota != 7 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestStorageErrors(t *testing.T) {
	var now atomic.Pointer[http.HandlerFunc]
	n := casd(t, api.RouteStorage, func(w http.ResponseWriter, r *http.Request) { (*now.Load())(w, r) })
	for name, answer := range map[string]http.HandlerFunc{
		"no JSON": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") },
		"too long": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, strings.Repeat(" ", maxStorageReply+1), "{}")
		},
		"refused": func(w http.ResponseWriter, _ *http.Request) {
			local.WriteError(w, http.StatusInsufficientStorage, errors.New("full"))
		},
	} {
		now.Store(&answer)
		begin := time.Now()
		if _, err := n.Storage(nodetest.Context(t)); err == nil || !strings.HasPrefix(err.Error(), "look at the store: ") || time.Since(begin) > 10*time.Second {
			t.Errorf("%s: %v after %v", name, err, time.Since(begin))
		}
	}
}

func TestLines(t *testing.T) {
	one, two := api.Sum([]byte("1")), api.Sum([]byte("2"))
	line := func(d api.Digest) string {
		return fmt.Sprintf(`{"sha256":"%s","size":1,"has":1,"whole":true,"later":1}`+"\n", d)
	}
	type lines struct {
		body string
		cut  bool
		want int
		err  string
	}
	var now atomic.Pointer[lines]
	n := casd(t, api.RouteBlobs, func(w http.ResponseWriter, _ *http.Request) {
		c := now.Load()
		_, _ = io.WriteString(w, c.body) // the caller may have gone
		if c.cut {
			_ = http.NewResponseController(w).Flush() // what came before is to arrive
			panic(http.ErrAbortHandler)
		}
	})
	for name, c := range map[string]lines{
		"two":           {line(one) + line(two), false, 2, ""},
		"an empty one":  {line(one) + "\n" + line(two), false, 2, ""},
		"no last end":   {line(one) + strings.TrimSpace(line(two)), false, 2, ""},
		"none":          {"", false, 0, ""},
		"broken off":    {line(one), true, 1, "casd of this node broke off"},
		"no JSON":       {line(one) + "what\n" + line(two), false, 1, "decode"},
		"too long":      {line(one) + strings.Repeat("x", maxVerifyLine+1), false, 1, "too long"},
		"without blobs": {`{"size":1}` + "\n", false, 0, "sha256 or size is wrong"},
	} {
		now.Store(&c)
		got := 0
		err := n.Blobs(nodetest.Context(t), func(api.BlobRecord) error { got++; return nil })
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %d lines, %v", name, got, err)
		}
	}
	// Who has seen enough ends it.
	enough := errors.New("enough")
	now.Store(&lines{body: line(one) + line(two)})
	if err := n.Blobs(nodetest.Context(t), func(api.BlobRecord) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
}

func TestPut(t *testing.T) {
	body := bytes.Repeat([]byte("bytes "), 100_000)
	var tries, lengths atomic.Int64
	var tells atomic.Value
	n := casd(t, api.RouteBlobPut, func(w http.ResponseWriter, r *http.Request) {
		lengths.Store(r.ContentLength)
		if tries.Add(1)%2 == 1 {
			_, _ = io.CopyN(io.Discard, r.Body, 1000)
			panic(http.ErrAbortHandler)
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set(api.HeaderNew, tells.Load().(string))
		local.WriteJSON(w, http.StatusOK, api.BlobInfo{SHA256: api.Sum(b), Size: int64(len(b))})
	})
	for _, c := range []struct {
		size   int64
		body   []byte
		length int64
		tells  string
		fresh  int64
	}{
		{int64(len(body)), body, int64(len(body)), "600000", 600_000},
		{-1, body, -1, "0", 0},
		{-1, body, -1, "600001", -1},
		{-1, body, -1, "-7", -1},
		{0, nil, 0, "", -1},
	} {
		tells.Store(c.tells)
		info, err := n.Put(nodetest.Context(t), c.size, func() (io.Reader, error) { return bytes.NewReader(c.body), nil })
		if err != nil || info.SHA256 != api.Sum(c.body) || info.Size != int64(len(c.body)) || lengths.Load() != c.length || info.New != c.fresh {
			t.Errorf("size %d: %+v, %v; a length of %d was told", c.size, info, err, lengths.Load())
		}
	}
	tells.Store("")
	opened := 0
	_, err := n.Put(nodetest.Context(t), -1, func() (io.Reader, error) {
		if opened++; opened > 1 {
			return nil, ErrOnce
		}
		return bytes.NewReader(body), nil
	})
	if !errors.Is(err, ErrOnce) || !strings.Contains(err.Error(), "casd of this node does not answer") || opened != 2 {
		t.Errorf("opened %d times: %v", opened, err)
	}
}

func TestHereAndOpen(t *testing.T) {
	body := []byte("0123456789")
	n := casd(t, api.RouteBlobGet, func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("sha256") != api.Sum(body).String() {
			local.WriteError(w, http.StatusNotFound, errors.New("not here"))
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	})
	info, here, err := n.Here(nodetest.Context(t), api.Sum(body))
	if err != nil || !here || info.Size != 10 {
		t.Fatalf("%+v %v %v", info, here, err)
	}
	if _, here, err := n.Here(nodetest.Context(t), api.Sum(nil)); here || err != nil {
		t.Errorf("none: %v %v", here, err)
	}
	for from, want := range map[int64]string{0: "0123456789", 4: "456789", 9: "9"} {
		r, err := n.Open(nodetest.Context(t), api.Sum(body), from)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || string(got) != want {
			t.Errorf("from %d: %q %v", from, got, err)
		}
		r.Close()
	}
	if _, err := n.Open(nodetest.Context(t), api.Sum(nil), 0); err == nil || !strings.Contains(err.Error(), "not here") {
		t.Errorf("none: %v", err)
	}
}

func TestRelease(t *testing.T) {
	pinned := true
	n := casd(t, api.RouteUnpin, func(w http.ResponseWriter, _ *http.Request) {
		if !pinned {
			local.WriteError(w, http.StatusNotFound, errors.New("not pinned"))
			return
		}
		pinned = false
		local.WriteJSON(w, http.StatusOK, api.Empty{})
	})
	for _, want := range []bool{true, false} {
		if was, err := n.Release(nodetest.Context(t), api.Sum(nil)); was != want || err != nil {
			t.Errorf("%v %v", was, err)
		}
	}
}

func TestVerifyBrokenOff(t *testing.T) {
	n := casd(t, api.RouteVerify, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, `{"done":1,"total":2}`) })
	err := n.Verify(nodetest.Context(t), func(api.VerifyProgress) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "broke off") {
		t.Error(err)
	}
}
