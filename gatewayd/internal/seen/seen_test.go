package seen_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/realm-mesh/realm/gatewayd/internal/seen"
)

// lines is an access log. It is safe for use by several goroutines.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func TestNothingIsSeen(t *testing.T) {
	h := http.NewServeMux()
	if seen.New(nil, nil).Handler("x", false, h) != http.Handler(h) {
		t.Error("the handler is another")
	}
}

// TestStrangers name no trace, whether this node makes some or not.
func TestStrangers(t *testing.T) {
	var got http.Header
	h := seen.New(nil, nil).Handler("edge", true, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.Header }))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	r.Header.Set("Tracestate", "a=b")
	h.ServeHTTP(httptest.NewRecorder(), r)
	if len(got) != 0 {
		t.Errorf("%v", got)
	}
}

// TestAccessLog has a line for each request, whatever becomes of it, and nothing in it that
// a client could make another line of.
func TestAccessLog(t *testing.T) {
	log := &lines{}
	srv := httptest.NewServer(seen.New(nil, log).Handler("programs", false, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/breaks/":
			panic(http.ErrAbortHandler)
		case "/upgrades/":
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			c.Close()
		case "/echo/":
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.Copy(w, r.Body)
		}
	})))
	for _, path := range []string{"/breaks/", "/upgrades/", "/echo/?token=secret", "/%0a%22x/", "/" + strings.Repeat("x", 5000)} {
		resp, err := http.Post(srv.URL+path, "", strings.NewReader("12345"))
		if err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
	srv.Close()
	if strings.Contains(log.b.String(), "secret") {
		t.Error("a secret is in the log")
	}
	type line struct {
		Path     string
		Status   int
		BytesIn  int64 `json:"bytes_in"`
		BytesOut int64 `json:"bytes_out"`
		Cut      bool
	}
	all := map[string]line{}
	for text := range strings.Lines(log.b.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		all[l.Path[:min(len(l.Path), 20)]] = l
		if len(text) > 3000 {
			t.Errorf("a line of %d bytes", len(text))
		}
	}
	if l := all["/echo/"]; l.Status != http.StatusTeapot || l.BytesIn != 5 || l.BytesOut != 5 || l.Cut {
		t.Errorf("%+v", l)
	}
	if l := all["/upgrades/"]; l.Status != http.StatusSwitchingProtocols {
		t.Errorf("%+v", l)
	}
	if l, ok := all["/breaks/"]; !ok || !l.Cut {
		t.Errorf("%+v", l)
	}
	if len(all) != 5 {
		t.Errorf("%d of 5 requests: %v", len(all), all)
	}
}
