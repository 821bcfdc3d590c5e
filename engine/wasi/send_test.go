package wasi_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/wasi"
	"github.com/realm-mesh/realm/engine/wasi/outgoing"
)

// caller is a guest that may send requests to grants.
func caller(t *testing.T, limits wasi.Limits, grants ...string) *guest {
	s, err := outgoing.New(outgoing.Config{Allow: grants})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return newGuest(t, wasi.Env{Sender: s, Limits: limits})
}

// request makes a request to a server of plain HTTP.
func (g *guest) request(method uint32, url string, headers ...string) wit.Handle {
	const r = "http/types [method]outgoing-request."
	authority, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	q := g.handle("http/types [constructor]outgoing-request", g.headers(headers...))
	g.ok(r+"set-method", q, wit.Choice{Case: method})
	g.ok(r+"set-scheme", q, wit.Some(wit.Choice{}))
	g.ok(r+"set-authority", q, wit.Some(authority))
	g.ok(r+"set-path-with-query", q, wit.Some("/"+path))
	return q
}

func (g *guest) send(q wit.Handle) wit.Handle {
	return as[wit.Handle](g.ok("http/types [method]outgoing-request.body", q))
}

// await waits for the answer to a request: a response, or an error-code.
func (g *guest) await(f wit.Handle) wit.Choice {
	const of = "http/types [method]future-incoming-response."
	p := g.handle(of+"subscribe", f)
	g.call("io/poll [method]pollable.block", p)
	g.drop("io/poll pollable", p)
	got := as[wit.Choice](as[wit.Choice](g.call(of+"get", f)).Value)
	if again := as[wit.Choice](g.call(of+"get", f)); again != wit.Some(wit.Error(nil)) {
		g.t.Errorf("second get: %v", again)
	}
	return as[wit.Choice](got.Value)
}

func (g *guest) handleRequest(q wit.Handle, options wit.Choice) wit.Handle {
	return as[wit.Handle](g.ok("http/outgoing-handler handle", q, options))
}

// fetch sends a request without a body and returns the status and the body, or the
// error-code.
func (g *guest) fetch(q wit.Handle, options wit.Choice) (uint16, string, any) {
	r := g.await(g.handleRequest(q, options))
	if !r.IsOk() {
		return 0, "", as[wit.Choice](r.Value)
	}
	h := as[wit.Handle](r.Value)
	status := as[uint16](g.call("http/types [method]incoming-response.status", h))
	b := as[wit.Handle](g.ok("http/types [method]incoming-response.consume", h))
	s := as[wit.Handle](g.ok("http/types [method]incoming-body.stream", b))
	text, end := g.readAll(s)
	if end == closed {
		return status, text, nil
	}
	e := as[wit.Choice](g.call("http/types http-error-code", as[wit.Choice](end).Value))
	return status, text, e.Value
}

func TestSendRequest(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/to" {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return
		}
		w.Header().Set("X-A", "b")
		fmt.Fprintf(w, "%s %s %q %q %d %v", r.Method, r.RequestURI, r.Header["X-Mine"], r.Header["User-Agent"], r.ContentLength, r.TransferEncoding)
	}))
	defer s.Close()
	g := caller(t, wasi.Limits{}, "127.0.0.1:*")
	if status, text, err := g.fetch(g.request(0, s.URL+"/x%20y?z=%2F", "x-mine", "1", "X-Mine", "2"), wit.None()); status != 200 || text != `GET /x%20y?z=%2F ["1" "2"] [] 0 []` || err != nil {
		t.Errorf("%d %s %v", status, text, err)
	}
	if status, _, err := g.fetch(g.request(0, s.URL+"/to"), wit.None()); status != http.StatusFound || err != nil {
		t.Errorf("a redirect was followed: %d %v", status, err)
	}
	// A body that is finished at once is none.
	q := g.request(0, s.URL+"/")
	b := g.send(q)
	f := g.handleRequest(q, wit.None())
	g.ok("http/types [static]outgoing-body.finish", b, wit.None())
	if r := g.await(f); !r.IsOk() {
		t.Errorf("%v", r)
	}
}

func TestSendStreamsBothWays(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.EnableFullDuplex()
		_ = rc.Flush()
		w.Header().Set("Trailer", "X-End")
		b := bufio.NewReader(r.Body)
		for {
			line, err := b.ReadString('\n')
			if err != nil {
				break
			}
			fmt.Fprint(w, "got "+line)
			_ = rc.Flush()
		}
		w.Header().Set(http.TrailerPrefix+"X-End", r.Trailer.Get("X-Sum"))
	}))
	defer s.Close()
	g := caller(t, wasi.Limits{}, "127.0.0.1:*")
	q := g.request(2, s.URL+"/")
	b := g.send(q)
	w := as[wit.Handle](g.ok("http/types [method]outgoing-body.write", b))
	r := as[wit.Handle](g.await(g.handleRequest(q, wit.None())).Value)
	h := g.handle("http/types [method]incoming-response.headers", r)
	if !as[bool](g.call("http/types [method]fields.has", h, "date")) {
		t.Error("headers")
	}
	g.drop("http/types fields", h)
	in1 := as[wit.Handle](g.ok("http/types [method]incoming-response.consume", r))
	g.drop("http/types incoming-response", r)
	in2 := as[wit.Handle](g.ok("http/types [method]incoming-body.stream", in1))
	for _, line := range []string{"one\n", "two\n"} {
		g.write(w, line)
		if got := string(as[[]byte](g.ok(in+"blocking-read", in2, uint64(100)))); got != "got "+line {
			t.Fatalf("%q", got)
		}
	}
	g.finish(b, w, "x-sum", "7")
	g.drop("io/streams input-stream", in2)
	f := g.handle("http/types [static]incoming-body.finish", in1)
	g.call("io/poll [method]pollable.block", g.handle("http/types [method]future-trailers.subscribe", f))
	got := as[wit.Choice](g.call("http/types [method]future-trailers.get", f))
	o := as[wit.Choice](as[wit.Choice](as[wit.Choice](got.Value).Value).Value)
	if !o.IsSome() {
		t.Fatalf("no trailers: %v", got)
	}
	if v := as[[]any](g.call("http/types [method]fields.get", o.Value, "X-End")); len(v) != 1 || string(as[[]byte](v[0])) != "7" {
		t.Errorf("trailer %q", v)
	}
	if again := g.call("http/types [method]future-trailers.get", f); again != wit.Some(wit.Error(nil)) {
		t.Errorf("second get: %v", again)
	}
}

// A server that is slow holds the guest back, in either direction.
func TestSendHoldsTheGuestBack(t *testing.T) {
	release := make(chan struct{})
	const total = 32 << 20
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-release
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, n)
	}))
	defer s.Close()
	g := caller(t, wasi.Limits{}, "127.0.0.1:*")
	q := g.request(2, s.URL+"/", "content-length", fmt.Sprint(total))
	b := g.send(q)
	w := as[wit.Handle](g.ok("http/types [method]outgoing-body.write", b))
	f := g.handleRequest(q, wit.None())
	p := g.handle(out+"subscribe", w)
	slow := g.handle("clocks/monotonic-clock subscribe-duration", uint64(300*time.Millisecond))
	written, held := uint64(0), false
	for written < total {
		n := as[uint64](g.ok(out+"check-write", w))
		if n == 0 {
			ready := as[[]any](g.call("io/poll poll", []any{p, slow}))
			if !held && ready[0] == uint32(1) {
				held = true
				close(release)
			}
			if held {
				g.call("io/poll [method]pollable.block", p)
			}
			continue
		}
		n = min(n, total-written)
		g.ok(out+"write", w, make([]byte, n))
		written += n
	}
	if !held {
		t.Error("all was written though the server did not read")
	}
	g.drop("io/poll pollable", p)
	g.finish(b, w)
	r := as[wit.Handle](g.await(f).Value)
	in1 := as[wit.Handle](g.ok("http/types [method]incoming-response.consume", r))
	if text, _ := g.readAll(as[wit.Handle](g.ok("http/types [method]incoming-body.stream", in1))); text != fmt.Sprint(total) {
		t.Errorf("the server read %s bytes", text)
	}
}

func code(c wasi.HTTPCode) uint32 { return uint32(c) }

func TestSendErrors(t *testing.T) {
	wait := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut":
			fmt.Fprint(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "/reset":
			panic(http.ErrAbortHandler)
		case "/headers":
			w.Header().Set("X", strings.Repeat("x", 100_000))
		case "/first":
			<-wait
		case "/between":
			fmt.Fprint(w, "half")
			_ = http.NewResponseController(w).Flush()
			<-wait
		}
	}))
	defer s.Close()
	defer close(wait)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	g := caller(t, wasi.Limits{}, "127.0.0.1:*", "*:*", "nowhere.invalid=private")
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	for _, c := range []struct {
		url     string
		timeout string
		want    wasi.HTTPCode
	}{
		{s.URL + "/cut", "", wasi.HTTPResponseIncomplete},
		{s.URL + "/reset", "", wasi.ConnectionTerminated},
		{s.URL + "/headers", "", wasi.HTTPResponseHeaderSectionSize},
		{s.URL + "/first", "first-byte-timeout", wasi.ConnectionReadTimeout},
		{s.URL + "/between", "between-bytes-timeout", wasi.ConnectionReadTimeout},
		{"http://" + l.Addr().String() + "/", "", wasi.ConnectionRefused},
		{"http://localhost:" + port + "/", "", wasi.DestinationIPProhibited},
		{"http://10.0.0.1/", "", wasi.DestinationIPProhibited},
		{"http://[::ffff:169.254.169.254]/", "", wasi.DestinationIPProhibited},
	} {
		options := wit.None()
		if c.timeout != "" {
			o := g.handle("http/types [constructor]request-options")
			g.ok("http/types [method]request-options.set-"+c.timeout, o, wit.Some(uint64(50*time.Millisecond)))
			options = wit.Some(o)
		}
		if _, _, err := g.fetch(g.request(0, c.url), options); err == nil || as[wit.Choice](err).Case != code(c.want) {
			t.Errorf("%s: error-code %v, want %d", c.url, err, c.want)
		}
	}
}

func TestSendRefuses(t *testing.T) {
	const handle = "http/outgoing-handler handle"
	denied := newGuest(t, wasi.Env{})
	if c := as[wit.Choice](denied.fails(handle, denied.request(0, "http://example.org/"), wit.None())); c.Case != code(wasi.HTTPRequestDenied) {
		t.Errorf("without a sender: %v", c)
	}
	wait := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-wait }))
	defer s.Close()
	defer close(wait)
	g := caller(t, wasi.Limits{Requests: 1}, strings.TrimPrefix(s.URL, "http://"))
	if _, _, err := g.fetch(g.request(0, "http://example.org/"), wit.None()); err == nil || as[wit.Choice](err).Case != code(wasi.HTTPRequestDenied) {
		t.Errorf("to who was not granted: %v", err)
	}
	if c := as[wit.Choice](g.fails(handle, g.request(5, s.URL+"/"), wit.None())); c.Case != code(wasi.HTTPRequestMethodInvalid) {
		t.Errorf("CONNECT: %v", c)
	}
	q := g.handle("http/types [constructor]outgoing-request", g.headers())
	if c := as[wit.Choice](g.fails(handle, q, wit.None())); c.Case != code(wasi.HTTPRequestURIInvalid) {
		t.Errorf("without an authority: %v", c)
	}
	first := g.handleRequest(g.request(0, s.URL+"/"), wit.None())
	if c := as[wit.Choice](g.fails(handle, g.request(0, s.URL+"/"), wit.None())); c.Case != code(wasi.ConnectionLimitReached) {
		t.Errorf("too many: %v", c)
	}
	g.drop("http/types future-incoming-response", first)
	g.handleRequest(g.request(0, s.URL+"/"), wit.None()) // and Close ends it
}

// The body of a request that is dropped without being finished is not sent as whole.
func TestSendCutsWhatIsNotFinished(t *testing.T) {
	failed := make(chan error, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		failed <- err
	}))
	defer s.Close()
	g := caller(t, wasi.Limits{}, "127.0.0.1:*")
	q := g.request(2, s.URL+"/")
	b := g.send(q)
	w := as[wit.Handle](g.ok("http/types [method]outgoing-body.write", b))
	f := g.handleRequest(q, wit.None())
	g.write(w, "half")
	g.drop("io/streams output-stream", w)
	g.drop("http/types outgoing-body", b)
	if r := g.await(f); r.IsOk() {
		t.Errorf("got a response: %v", r)
	}
	if err := <-failed; err == nil {
		t.Error("half of a body was taken for whole")
	}
}
