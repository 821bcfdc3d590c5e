package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newHome(t *testing.T) paths.Home {
	t.Helper()
	h, err := paths.Open(t.TempDir())
	if err == nil {
		err = errors.Join(h.Create(), CreateToken(h))
	}
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// serve answers as casd of h until the test ends, or stop is called.
func serve(t *testing.T, h paths.Home, grace time.Duration, handler http.HandlerFunc) (stop func() error) {
	t.Helper()
	ln, err := Listen(h, api.Casd)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, h, ln, handler, grace) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return stop
}

func newClient(t *testing.T, h paths.Home) *http.Client {
	t.Helper()
	c, err := NewClient(h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func TestCall(t *testing.T) {
	h := newHome(t)
	serve(t, h, time.Second, func(w http.ResponseWriter, r *http.Request) {
		if tok := r.Header.Get(HeaderToken); tok != "" {
			t.Errorf("the handler sees the token %q", tok)
		}
		switch r.URL.Path {
		case "/echo":
			b, err := io.ReadAll(r.Body)
			if err != nil || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%v, %v", err, r.Header)
			}
			_, _ = w.Write(b)
		case "/info":
			if r.ContentLength != 0 || r.Header.Get("Content-Type") != "" {
				t.Errorf("a body where there is none: %d, %v", r.ContentLength, r.Header)
			}
			WriteJSON(w, http.StatusCreated, api.BlobInfo{SHA256: api.Sum(nil), Size: 7})
		case "/large":
			fmt.Fprint(w, `{"peers":[]`+strings.Repeat(" ", 1000)+"}")
		case "/strange":
			fmt.Fprint(w, `{"peers":[],"more":1}`)
		case "/refuse":
			WriteError(w, http.StatusConflict, errors.New("push again"))
		case "/plain":
			http.Error(w, "no such page", http.StatusNotFound)
		case "/redirect":
			http.Redirect(w, r, "/info", http.StatusFound)
		case "/cut":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "{")
		}
	})
	c := newClient(t, h)
	call := func(method, path string, in any, out api.Validator) error {
		return Call(t.Context(), c, method, URL(api.Casd, path), in, out, 500)
	}

	var echoed api.ProvidersRequest
	if err := call("POST", "/echo", api.ProvidersRequest{Blob: api.Sum(nil)}, &echoed); err != nil || echoed.Blob != api.Sum(nil) {
		t.Errorf("echo: %+v, %v", echoed, err)
	}
	var info api.BlobInfo
	if err := call("GET", "/info", nil, &info); err != nil || info.Size != 7 {
		t.Errorf("info: %+v, %v", info, err)
	}
	for _, tt := range []struct {
		path, text string
		status     int
		is         error
	}{
		{"/refuse", "push again", 409, nil},
		{"/plain", "404 Not Found no such page", 404, nil},
		{"/redirect", "302 Found", 302, nil},
		{"/large", "at most 500", 0, api.ErrTooLarge},
		{"/strange", "unknown field", 0, nil},
		{"/cut", "unexpected EOF", 0, io.ErrUnexpectedEOF},
		{"/nothing", "EOF", 0, nil},
	} {
		err := call("GET", tt.path, nil, &api.ProvidersReply{})
		var status *StatusError
		if err == nil || !strings.Contains(err.Error(), tt.text) || tt.is != nil && !errors.Is(err, tt.is) ||
			errors.As(err, &status) != (tt.status != 0) || tt.status != 0 && status.Status != tt.status {
			t.Errorf("%s: %v; want %d with %q", tt.path, err, tt.status, tt.text)
		}
	}
	if err := call("GET", "/info", make(chan int), &info); err == nil {
		t.Error("a request that is no JSON was sent")
	}
	if err := call("GET", "\n", nil, &info); err == nil {
		t.Error("a path with a line feed was sent")
	}
}

// Whoever does not show the home's token is told so, and reaches no handler.
func TestTokenIsRequired(t *testing.T) {
	h, other := newHome(t), newHome(t)
	serve(t, h, time.Second, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s came through", r.URL) })
	token, err := readToken(h)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := readToken(other)
	if err != nil || foreign == token {
		t.Fatalf("two homes have the token %q (%v)", token, err)
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", h.Socket(api.Casd))
	}}
	defer transport.CloseIdleConnections()
	for name, header := range map[string]http.Header{
		"none":           {},
		"empty":          {HeaderToken: {""}},
		"another home's": {HeaderToken: {foreign}},
		"a part":         {HeaderToken: {token[:len(token)-1]}},
		"longer":         {HeaderToken: {token + "0"}},
		"upper case":     {HeaderToken: {strings.ToUpper(token)}},
		"second":         {HeaderToken: {"x", token}},
		"authorization":  {"Authorization": {"Bearer " + token}},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, URL(api.Casd, "/blobs"), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		err = CheckStatus(resp)
		resp.Body.Close()
		var status *StatusError
		if !errors.As(err, &status) || status.Status != http.StatusUnauthorized || !strings.Contains(err.Error(), "token") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestToken(t *testing.T) {
	h := newHome(t)
	first, err := readToken(h)
	if err != nil || len(first) != 64 {
		t.Fatalf("%q, %v", first, err)
	}
	if err := CreateToken(h); err != nil {
		t.Fatal(err)
	}
	if again, err := readToken(h); err != nil || again != first {
		t.Errorf("made anew: %q, %v", again, err)
	}
	if fi, err := os.Stat(h.Token()); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	ln, err := Listen(h, api.Casd)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.Token(), []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewClient(h); err == nil || !strings.Contains(err.Error(), "remove it and run realm up") {
		t.Errorf("a damaged token: %v", err)
	}
	if err := Serve(t.Context(), h, ln, http.NotFoundHandler(), 0); err == nil {
		t.Error("served with a damaged token")
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener was left open: %v", err)
	}
	if err := os.Remove(h.Token()); err != nil {
		t.Fatal(err)
	}
	if _, err := NewClient(h); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no token: %v", err)
	}
}

func TestListen(t *testing.T) {
	h := newHome(t)
	ln, err := Listen(h, api.Casd)
	if err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(h.Socket(api.Casd)); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	// A process that was killed leaves its socket behind: here, the first listener's.
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	ln, err = Listen(h, api.Casd)
	if err != nil {
		t.Fatalf("over a stale socket: %v", err)
	}
	ln.Close()
	if err := os.MkdirAll(h.Socket(api.Meshd)+"/full", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(h, api.Meshd); err == nil || !strings.Contains(err.Error(), "listen for meshd") {
		t.Errorf("over a folder: %v", err)
	}
}

func TestNobodyListens(t *testing.T) {
	h := newHome(t)
	err := Call(t.Context(), newClient(t, h), "GET", URL(api.Runnerd, "/"), nil, &api.Empty{}, 10)
	var status *StatusError
	if err == nil || errors.As(err, &status) || !strings.Contains(err.Error(), "runnerd.sock") {
		t.Errorf("%v", err)
	}
}

// Requests in flight are let finish, those that take too long are cut, and new
// ones find nobody.
func TestServeStops(t *testing.T) {
	for _, tt := range []struct {
		name  string
		grace time.Duration
		cut   bool
	}{{"in time", 10 * time.Second, false}, {"too slow", 50 * time.Millisecond, true}} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHome(t)
			begun, finish := make(chan struct{}), make(chan struct{})
			stop := serve(t, h, tt.grace, func(w http.ResponseWriter, r *http.Request) {
				close(begun)
				select {
				case <-finish:
				case <-r.Context().Done():
				}
				WriteJSON(w, http.StatusOK, api.Empty{})
			})
			answer := make(chan error, 1)
			go func() { answer <- Call(t.Context(), newClient(t, h), "GET", URL(api.Casd, "/"), nil, &api.Empty{}, 10) }()
			<-begun
			stopped := make(chan error, 1)
			go func() { stopped <- stop() }()
			if !tt.cut {
				select {
				case err := <-stopped:
					t.Fatalf("stopped with a request in flight: %v", err)
				case <-time.After(50 * time.Millisecond):
				}
				close(finish)
			}
			if err := <-stopped; err != nil {
				t.Errorf("stop: %v", err)
			}
			if err := <-answer; (err != nil) != tt.cut {
				t.Errorf("the request in flight: %v", err)
			}
			if _, err := net.Dial("unix", h.Socket(api.Casd)); err == nil {
				t.Error("somebody still listens")
			}
		})
	}
}

// A context that ends before the server begins is no special case.
func TestServeWithEndedContext(t *testing.T) {
	h := newHome(t)
	ln, err := Listen(h, api.Casd)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Serve(ctx, h, ln, http.NotFoundHandler(), time.Second); err != nil {
		t.Error(err)
	}
	if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener was left open: %v", err)
	}
}

func TestServeFailsWithItsListener(t *testing.T) {
	h := newHome(t)
	ln, err := Listen(h, api.Casd)
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := Serve(t.Context(), h, ln, http.NotFoundHandler(), time.Second); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v", err)
	}
}

func TestStatusError(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		want   string
		tail   int
	}{
		"ours":          {409, `{"error":"no","tail":["a","b"]}`, "no", 2},
		"empty":         {502, ``, "502 Bad Gateway", 0},
		"other JSON":    {500, `{"message":"no"}`, `500 Internal Server Error {"message":"no"}`, 0},
		"without words": {500, `{"error":""}`, `500 Internal Server Error {"error":""}`, 0},
		"long":          {500, strings.Repeat("x", 1<<20), "500 Internal Server Error " + strings.Repeat("x", 200), 0},
	} {
		r := &http.Response{StatusCode: tt.status, Status: fmt.Sprint(tt.status, " ", http.StatusText(tt.status)), Body: io.NopCloser(strings.NewReader(tt.body))}
		var e *StatusError
		if err := CheckStatus(r); !errors.As(err, &e) || e.Error() != tt.want || e.Status != tt.status || len(e.Tail) != tt.tail {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, ok := range []int{200, 201, 204, 206} {
		if err := CheckStatus(&http.Response{StatusCode: ok}); err != nil {
			t.Errorf("%d: %v", ok, err)
		}
	}
}
