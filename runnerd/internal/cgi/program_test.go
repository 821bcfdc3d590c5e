package cgi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/enginetest"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/runnerd/internal/exchange"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// hello is an http.Handler; the other guests are scripts.
var hello []byte

var rig enginetest.Rig

func TestMain(m *testing.M) {
	enginetest.Main(m, &rig, func() (err error) {
		hello, err = wasmtest.Sample("hello-cgi", false)
		return err
	})
}

// site serves one program under /components/NAME/ of a real server.
type site struct {
	*httptest.Server
	program *Program
	log     *logs.Log
	ends    chan error // how requests without an answer ended
}

func newSite(t testing.TB, wasm []byte, c api.Component) *site {
	t.Helper()
	s := &site{ends: make(chan error, 100)}
	s.log = logs.Open(api.Ref{Kind: api.KindComponent, Name: "web"}, filepath.Join(t.TempDir(), "log"), func(api.Ref, api.LogLine) {}, slog.New(slog.DiscardHandler))
	t.Cleanup(s.log.Close)
	m := rig.Ready(t, wasm, 64)
	p, err := New(t.Context(), exchange.Config{Module: m, Name: "web", Component: &c, Log: s.log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	s.program = p
	mux := http.NewServeMux()
	mux.HandleFunc(api.RouteComponent, func(w http.ResponseWriter, r *http.Request) {
		if err := p.Serve(w, r, r.PathValue("path")); err != nil {
			s.ends <- err
			w.WriteHeader(http.StatusBadGateway)
		}
	})
	s.Server = httptest.NewUnstartedServer(mux)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// scripted is a site whose program does steps, for at most epochMS.
func scripted(t testing.TB, epochMS int64, steps ...wasmtest.Step) *site {
	t.Helper()
	c := api.Component{}
	c.Module.Limits.EpochMS = epochMS
	return newSite(t, wasmtest.Script(steps...), c)
}

func (s *site) do(t testing.TB, method, path string, body io.Reader, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, s.URL+"/components/web"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	client := &http.Client{Transport: s.Client().Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func read(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

func TestUnmodifiedHandler(t *testing.T) {
	s := newSite(t, hello, api.Component{})
	if r := s.do(t, "GET", "/", nil); r.StatusCode != http.StatusOK || !strings.Contains(read(t, r), "Hello from /web,") {
		t.Error(r.Status)
	}
	if r := s.do(t, "GET", "/no/such/page", nil); r.StatusCode != http.StatusNotFound || !strings.Contains(read(t, r), "404 page not found") {
		t.Error(r.Status)
	}
	r := s.do(t, "PUT", "/echo/a%2Fb%20c/?q=1&r=%41", strings.NewReader("the body"),
		"X-One", "1", "X-One", "2", "Proxy", "evil", "X_under", "spoof", "Cookie", "a=1", "Content-Type", "text/x")
	got := read(t, r)
	for _, want := range []string{"method: PUT\n", "path: /echo/a/b c/\n", "query: q=1&r=%41\n", "header: X-One: 1, 2\n", "header: Cookie: a=1\n",
		"header: Content-Type: text/x\n", "\n\nthe body"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if strings.Contains(got, "evil") || strings.Contains(got, "spoof") {
		t.Errorf("a header came through in\n%s", got)
	}
	if ct := r.Header.Get("Content-Type"); ct != "text/plain; charset=utf-8" {
		t.Error(ct)
	}
}

func TestBodiesOfAnySizeAndForm(t *testing.T) {
	s := newSite(t, hello, api.Component{})
	for name, c := range map[string]struct {
		size    int
		chunked bool
	}{"none": {0, false}, "small": {10, false}, "big": {5 << 20, false}, "chunked": {3 << 20, true}, "chunked, empty": {0, true}} {
		t.Run(name, func(t *testing.T) {
			body := bytes.Repeat([]byte("0123456789abcdef"), c.size/16+1)[:c.size]
			var from io.Reader = bytes.NewReader(body)
			if c.chunked {
				from = io.MultiReader(from) // of a type that tells no length
			}
			r := s.do(t, "POST", "/echo", from)
			_, got, _ := strings.Cut(read(t, r), "\n\n")
			if got != string(body) {
				t.Errorf("%d bytes came back of %d", len(got), len(body))
			}
		})
	}
}

func TestBodyOfUnknownLengthIsCapped(t *testing.T) {
	s := scripted(t, 0, wasmtest.Drain())
	s.do(t, "POST", "/", io.LimitReader(zeros{}, exchange.MaxUnknownBody+1))
	if err := <-s.ends; !errors.Is(err, exchange.ErrLengthRequired) {
		t.Error(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestBodiesStreamBothWays has each byte of the answer wait for one of the request.
func TestBodiesStreamBothWays(t *testing.T) {
	s := scripted(t, 0, wasmtest.Out("Content-Type: text/plain\n\n"), wasmtest.Copy())
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(conn, "POST /components/web/ HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\n")
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	for _, part := range []string{"first", "secnd", "third"} {
		fmt.Fprint(conn, part)
		got := make([]byte, len(part))
		if _, err := io.ReadFull(r.Body, got); err != nil || string(got) != part {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

// TestConnectionsOutliveTheirRequests asks many times over one connection, and over
// another only where it was told to.
func TestConnectionsOutliveTheirRequests(t *testing.T) {
	header := wasmtest.Out("Content-Type: text/plain\n\n")
	for name, c := range map[string]struct {
		steps []wasmtest.Step
		stays bool
	}{
		"a body that is read":         {[]wasmtest.Step{wasmtest.Drain(), header}, true},
		"a body that nobody reads":    {[]wasmtest.Step{header}, false},
		"read after the header":       {[]wasmtest.Step{header, wasmtest.Copy()}, false},
		"a program that only fails":   {[]wasmtest.Step{wasmtest.Leave(3)}, false},
		"a program that is cut short": {[]wasmtest.Step{wasmtest.Sleep(time.Hour)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := scripted(t, 300, c.steps...)
			conn, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			in := bufio.NewReader(conn)
			for range 5 {
				fmt.Fprint(conn, "POST /components/web/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
				r, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				read(t, r)
				r.Body.Close()
				if r.Close == c.stays {
					t.Errorf("the connection is to close: %v", r.Close)
				}
				if r.Close {
					return
				}
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	type want struct {
		status int
		header string // NAME: VALUE; without VALUE it must be missing
		body   string
	}
	for name, c := range map[string]struct {
		answer string
		want   want
	}{
		"plain":               {"Content-Type: text/plain\n\nhello", want{200, "Content-Type: text/plain", "hello"}},
		"CRLF":                {"Content-Type: text/plain\r\nX-A: b\r\n\r\nhello", want{200, "X-A: b", "hello"}},
		"status":              {"Status: 418 I'm a teapot\nContent-Type: text/plain\n\n", want{418, "", ""}},
		"no type":             {"Status: 200\n\n<html>", want{200, "Content-Type:", "<html>"}},
		"redirect":            {"Location: https://example.com/x\n\n", want{302, "Location: https://example.com/x", ""}},
		"redirect, status":    {"Status: 303 See Other\nLocation: /there\n\n", want{303, "Location: /web/there", ""}},
		"redirect, mounted":   {"Location: /web/there\n\n", want{302, "Location: /web/there", ""}},
		"redirect, relative":  {"Location: there\n\n", want{302, "Location: there", ""}},
		"redirect, no scheme": {"Location: //example.com/x\n\n", want{302, "Location: //example.com/x", ""}},
		"hop by hop":          {"Connection: close\nContent-Type: text/plain\nRealm-Not-Accepted: 1\n\nx", want{200, "Realm-Not-Accepted:", "x"}},
		"several of a name":   {"Set-Cookie: a=1\nSet-Cookie: b=2\n\n", want{200, "Set-Cookie: a=1", ""}},
		"own length":          {"Content-Length: 5\n\nhello", want{200, "Content-Length: 5", "hello"}},
		"no body":             {"Status: 204 No Content\n\nignored", want{204, "", ""}},
		"body with blanks":    {"X-A: b\n\n\n\nx\n", want{200, "X-A: b", "\n\nx\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := scripted(t, 0, wasmtest.Out(c.answer))
			r := s.do(t, "GET", "/", nil)
			if got := read(t, r); r.StatusCode != c.want.status || got != c.want.body {
				t.Errorf("got %s, %q", r.Status, got)
			}
			name, value, _ := strings.Cut(c.want.header, ":")
			if got := r.Header.Get(name); name != "" && got != strings.TrimSpace(value) {
				t.Errorf("%s: %q", name, got)
			}
		})
	}
}

func TestNoAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		steps []wasmtest.Step
		as    any
		says  string
	}{
		"nothing":          {nil, new(*HeaderError), "without a header"},
		"half a header":    {[]wasmtest.Step{wasmtest.Out("Content-Type: text/plain\n")}, new(*HeaderError), "without a header"},
		"no header":        {[]wasmtest.Step{wasmtest.Out("hello there\n\n")}, new(*HeaderError), "want NAME: VALUE"},
		"empty header":     {[]wasmtest.Step{wasmtest.Out("\nbody")}, new(*HeaderError), "empty"},
		"bad status":       {[]wasmtest.Step{wasmtest.Out("Status: 99\n\n")}, new(*HeaderError), "200 to 599"},
		"bad length":       {[]wasmtest.Step{wasmtest.Out("Content-Length: x\n\n")}, new(*HeaderError), "content length"},
		"control":          {[]wasmtest.Step{wasmtest.Out("X-A: a\x01b\n\n")}, new(*HeaderError), "control character"},
		"header too long":  {[]wasmtest.Step{wasmtest.Out("X-A: "), wasmtest.Forever(wasmtest.Out(strings.Repeat("x", 1000)))}, new(*HeaderError), "longer than 65536"},
		"exit code":        {[]wasmtest.Step{wasmtest.Err("oh no\n"), wasmtest.Leave(3)}, new(*engine.ExitError), "exit code 3"},
		"trap":             {[]wasmtest.Step{wasmtest.Fault()}, new(*engine.Trap), "trap: unreachable"},
		"deadline, loop":   {[]wasmtest.Step{wasmtest.Forever()}, new(*engine.DeadlineError), "deadline of 300 ms"},
		"deadline, asleep": {[]wasmtest.Step{wasmtest.Sleep(time.Hour)}, new(*engine.DeadlineError), "deadline of 300 ms"},
	} {
		t.Run(name, func(t *testing.T) {
			s := scripted(t, 300, c.steps...)
			begun := time.Now()
			r := s.do(t, "GET", "/", nil)
			err := <-s.ends
			if !errors.As(err, c.as) || !strings.Contains(err.Error(), c.says) || r.StatusCode != http.StatusBadGateway {
				t.Errorf("%T: %v", err, err)
			}
			if took := time.Since(begun); took > 2*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestComplaintsGoToTheLog(t *testing.T) {
	s := scripted(t, 0, wasmtest.Err("one\n"), wasmtest.Out("X-A: b\n\n"), wasmtest.Err("two"))
	read(t, s.do(t, "GET", "/", nil))
	if got := s.log.Tail(); !slices.Equal(got, []string{"one", "two"}) {
		t.Error(got)
	}
}

func TestDeadlineDuringBodyBreaksOff(t *testing.T) {
	s := scripted(t, 300, wasmtest.Out("X-A: b\n\nbegun"), wasmtest.Sleep(time.Hour))
	r := s.do(t, "GET", "/", nil)
	b, err := io.ReadAll(r.Body)
	if string(b) != "begun" || err == nil {
		t.Errorf("got %q, %v: the client must see that something is missing", b, err)
	}
}

func TestSilentClientMeetsTheDeadline(t *testing.T) {
	s := scripted(t, 300, wasmtest.Drain())
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "POST /components/web/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nonly this")
	select {
	case err := <-s.ends:
		if late := new(engine.DeadlineError); !errors.As(err, &late) {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the program waits for ever")
	}
}

func TestClientThatLeavesStopsTheProgram(t *testing.T) {
	for name, steps := range map[string][]wasmtest.Step{
		"before the header": {wasmtest.Forever()},
		"within the body":   {wasmtest.Out("X-A: b\n\n"), wasmtest.Forever(wasmtest.Out("line after line\n"))},
	} {
		t.Run(name, func(t *testing.T) {
			s := scripted(t, 60_000, steps...)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/components/web/", nil)
			if err != nil {
				t.Fatal(err)
			}
			if r, err := s.Client().Do(req); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
				r.Body.Close()
			}
			begun := time.Now()
			s.Close() // waits for requests in flight
			if took := time.Since(begun); took > 3*time.Second {
				t.Errorf("the program went on for %s", took)
			}
		})
	}
}

func TestVariables(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/components/web/a%2Fb?x=1", nil)
	r.Host = "gateway.example:8080"
	r.RemoteAddr = "@"
	for name, value := range map[string]string{"X-Forwarded-For": "192.0.2.7, 10.0.0.1", "X-Forwarded-Host": "www.example", "X-Forwarded-Proto": "https",
		"Content-Type": "text/x", "Accept-Language": "en", "Proxy": "evil", "X_a": "spoof", "Te": "trailers", "Realm-Token": "secret"} {
		r.Header[name] = []string{value}
	}
	got := map[string]string{}
	for _, v := range variables(map[string]string{"GREETING": "hi", "SCRIPT_NAME": "/evil"}, r, target{"/web", "/a/b", "/a%2Fb"}, 7) {
		got[v.Name] = v.Value
	}
	for name, want := range map[string]string{
		"GATEWAY_INTERFACE": "CGI/1.1", "SERVER_PROTOCOL": "HTTP/1.1", "SERVER_NAME": "www.example", "SERVER_PORT": "443", "HTTPS": "on",
		"REQUEST_METHOD": "POST", "REQUEST_URI": "/a%2Fb?x=1", "SCRIPT_NAME": "/web", "PATH_INFO": "/a/b", "QUERY_STRING": "x=1",
		"REMOTE_ADDR": "192.0.2.7", "HTTP_HOST": "www.example", "CONTENT_LENGTH": "7", "CONTENT_TYPE": "text/x", "HTTP_ACCEPT_LANGUAGE": "en",
		"GREETING": "hi",
	} {
		if got[name] != want {
			t.Errorf("%s=%q, want %q", name, got[name], want)
		}
	}
	for name, value := range got {
		if value == "evil" || value == "spoof" || value == "secret" || value == "trailers" {
			t.Errorf("%s=%s came through", name, value)
		}
	}
}

func TestNewRefusesWhatIsNoCommand(t *testing.T) {
	for name, wasm := range map[string][]byte{
		"a library":       wasmtest.Functions(wasmtest.Identity("f", wasmtest.I32)),
		"a wrong _start":  wasmtest.Functions(wasmtest.Identity("_start", wasmtest.I32)),
		"too little WASI": wasmtest.Module{Imports: []wasmtest.Import{{Module: engine.WASI, Name: "nope"}}, Funcs: []wasmtest.Func{{Export: "_start"}}}.Bytes(),
	} {
		m := rig.Ready(t, wasm, 16)
		defer m.Release()
		_, err := New(t.Context(), exchange.Config{Module: m, Name: "web", Component: &api.Component{}})
		if refused := new(program.RefusedError); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseHead(f *testing.F) {
	for _, s := range []string{"Content-Type: a\n\nx", "Status: 200 OK\r\nLocation: /x\r\n\r\n", "\n", ":\n\n", "A: b\n c\n\n", "Status: 2000\n\n", "X-\xff: a\n\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		end, body, ok := headerEnd(b)
		if !ok {
			return
		}
		if end > body || body > len(b) {
			t.Fatalf("header ends at %d, body begins at %d of %d", end, body, len(b))
		}
		h, err := parseHead(b[:end])
		if err != nil {
			return
		}
		if h.status < 200 || h.status > 599 {
			t.Fatal(h.status)
		}
		h.mount("/web")
		for name, values := range h.header {
			for _, v := range values {
				if strings.ContainsAny(name+v, "\r\n\x00") {
					t.Fatalf("%q: %q could begin another header", name, v)
				}
			}
		}
	})
}

// BenchmarkHello is one request after another, over TCP.
func BenchmarkHello(b *testing.B) {
	s := newSite(b, hello, api.Component{})
	took := make([]time.Duration, 0, b.N)
	for b.Loop() {
		begun := time.Now()
		r, err := s.Client().Get(s.URL + "/components/web/")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			b.Fatal(err)
		}
		r.Body.Close()
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// A newer version may end the making of this one at any point.
func TestNewGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m := rig.Ready(t, wasmtest.Nothing(), 1)
	p, err := New(ctx, exchange.Config{Module: m, Name: "web", Component: &api.Component{}})
	if p == nil && err == nil {
		t.Fatal("neither a program nor an error")
	}
	if p == nil {
		m.Release()
		return
	}
	p.Close()
}
