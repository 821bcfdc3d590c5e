package wasi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/wasi"
)

// serve serves what a program answers, each request by a guest of its own.
func serve(t *testing.T, env wasi.Env, program func(g *guest, request, outparam wit.Handle)) *httptest.Server {
	return serveThen(t, env, program, nil)
}

func serveThen(t *testing.T, env wasi.Env, program func(g *guest, request, outparam wit.Handle), after func(error)) *httptest.Server {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g := &guest{wasi.New(env), t, context.WithoutCancel(r.Context())}
		request, outparam, response, err := g.Incoming(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			defer g.Close()
			program(g, request, outparam)
		}()
		err = response.Serve()
		if after != nil {
			after(err)
		}
		var failure *wasi.HTTPError
		switch {
		case errors.Is(err, wasi.ErrCut):
			panic(http.ErrAbortHandler)
		case errors.As(err, &failure):
			w.WriteHeader(http.StatusBadGateway)
		case err != nil:
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	s.Config.ErrorLog = log.New(complaints{t}, "", 0)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// complaints fails a test of whose server package http has something to complain about.
type complaints struct{ *testing.T }

func (c complaints) Write(b []byte) (int, error) {
	c.Errorf("server: %s", b)
	return len(b), nil
}

// headers makes headers of pairs of name and value.
func (g *guest) headers(pairs ...string) wit.Handle {
	list := []any{}
	for n := 0; n < len(pairs); n += 2 {
		list = append(list, []any{pairs[n], []byte(pairs[n+1])})
	}
	return as[wit.Handle](g.ok("http/types [static]fields.from-list", list))
}

// answer begins a response, and returns its body and the stream of it.
func (g *guest) answer(outparam wit.Handle, status uint16, pairs ...string) (wit.Handle, wit.Handle) {
	r := g.handle("http/types [constructor]outgoing-response", g.headers(pairs...))
	g.ok("http/types [method]outgoing-response.set-status-code", r, status)
	b := as[wit.Handle](g.ok("http/types [method]outgoing-response.body", r))
	s := as[wit.Handle](g.ok("http/types [method]outgoing-body.write", b))
	g.call("http/types [static]response-outparam.set", outparam, wit.Ok(r))
	return b, s
}

func (g *guest) write(stream wit.Handle, text string) {
	g.ok(out+"blocking-write-and-flush", stream, []byte(text))
}

func (g *guest) finish(b, s wit.Handle, trailers ...string) {
	g.drop("io/streams output-stream", s)
	o := wit.None()
	if len(trailers) > 0 {
		o = wit.Some(g.headers(trailers...))
	}
	g.ok("http/types [static]outgoing-body.finish", b, o)
}

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestServeTellsGuestsOfTheRequest(t *testing.T) {
	s := serve(t, wasi.Env{}, func(g *guest, request, outparam wit.Handle) {
		const r = "http/types [method]incoming-request."
		h := g.handle(r+"headers", request)
		if _, err := g.try("http/types [method]fields.set", h, "x", []any{}); err != nil {
			t.Error(err)
		}
		if g.fails("http/types [method]fields.append", h, "x", []byte("y")) != (wit.Choice{Case: 2}) {
			t.Error("headers that came in can be changed")
		}
		if as[bool](g.call("http/types [method]fields.has", h, "Connection")) {
			t.Error("a header about the connection came through")
		}
		b, w := g.answer(outparam, 201, "X-Y", "z", "x-y", "zz")
		g.write(w, fmt.Sprint(g.call(r+"method", request), g.call(r+"path-with-query", request),
			g.call(r+"scheme", request), g.call(r+"authority", request), g.call("http/types [method]fields.get", h, "x-a")))
		g.finish(b, w)
	})
	req, _ := http.NewRequest("PURGE", s.URL+"/a%20b?c=d", nil)
	req.Header.Add("X-A", "1")
	req.Header.Add("X-A", "2")
	req.Header.Set("Connection", "close")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	want := fmt.Sprint(wit.Choice{Case: 9, Value: "PURGE"}, wit.Some("/a%20b?c=d"), wit.Some(wit.Choice{}),
		wit.Some(strings.TrimPrefix(s.URL, "http://")), []any{[]byte("1"), []byte("2")})
	if string(text) != want || resp.StatusCode != http.StatusCreated || len(resp.Header.Values("x-y")) != 2 {
		t.Errorf("got %s %v %q, want %q", resp.Status, resp.Header, text, want)
	}
	if ct, ok := resp.Header["Content-Type"]; ok {
		t.Errorf("somebody guessed the content-type: %v", ct)
	}
}

func TestServeEchoesWhileTheRequestGoesOn(t *testing.T) {
	s := serve(t, wasi.Env{}, func(g *guest, request, outparam wit.Handle) {
		rb := as[wit.Handle](g.ok("http/types [method]incoming-request.consume", request))
		g.fails("http/types [method]incoming-request.consume", request)
		r := as[wit.Handle](g.ok("http/types [method]incoming-body.stream", rb))
		g.fails("http/types [method]incoming-body.stream", rb)
		b, w := g.answer(outparam, 200)
		for {
			c := as[wit.Choice](g.call(out+"blocking-splice", w, r, uint64(1)<<40))
			if !c.IsOk() {
				break
			}
			g.ok(out+"flush", w)
		}
		g.drop("io/streams input-stream", r)
		f := g.handle("http/types [static]incoming-body.finish", rb)
		p := g.handle("http/types [method]future-trailers.subscribe", f)
		g.call("io/poll [method]pollable.block", p)
		g.drop("io/poll pollable", p)
		got := as[wit.Choice](g.call("http/types [method]future-trailers.get", f))
		trailers := as[wit.Handle](as[wit.Choice](as[wit.Choice](as[wit.Choice](got.Value).Value).Value).Value)
		v := as[[]any](g.call("http/types [method]fields.get", trailers, "x-end"))
		g.finish(b, w, "X-Echo", string(as[[]byte](v[0])))
	})
	pr, pw := io.Pipe()
	req, _ := http.NewRequest(http.MethodPost, s.URL, pr)
	req.Trailer = http.Header{"X-End": nil}
	go func() { _, _ = pw.Write([]byte("one\n")) }()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	r := bufio.NewReader(resp.Body)
	for _, next := range []string{"two\n", strings.Repeat("x", 300_000) + "\n", ""} {
		line, err := r.ReadString('\n')
		if err != nil || !strings.HasSuffix(line, "\n") {
			t.Fatalf("%q, %v", line, err)
		}
		go func() {
			if next == "" {
				req.Trailer.Set("X-End", "fine")
				pw.Close()
				return
			}
			_, _ = pw.Write([]byte(next))
		}()
	}
	if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
		t.Fatalf("%q %v", rest, err)
	}
	if got := resp.Trailer.Get("X-Echo"); got != "fine" {
		t.Errorf("trailer %q of %v", got, resp.Trailer)
	}
}

func TestServeHoldsTheGuestBackUntilTheClientReads(t *testing.T) {
	var written atomic.Int64
	stuck := make(chan struct{})
	const total = 64 << 20
	s := serve(t, wasi.Env{}, func(g *guest, _, outparam wit.Handle) {
		b, w := g.answer(outparam, 200)
		p := g.handle(out+"subscribe", w)
		for written.Load() < total {
			n := as[uint64](g.ok(out+"check-write", w))
			if n == 0 {
				if stuck != nil {
					close(stuck)
					stuck = nil
				}
				g.call("io/poll [method]pollable.block", p)
				continue
			}
			n = min(n, uint64(total-written.Load()))
			g.ok(out+"write", w, make([]byte, n))
			written.Add(int64(n))
		}
		g.drop("io/poll pollable", p)
		g.finish(b, w)
	})
	blocked := stuck
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-blocked
	if n := written.Load(); n >= total {
		t.Errorf("the guest wrote all %d bytes though nobody reads", n)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); n != total || err != nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
}

func TestServeCutsWhatIsNotFinished(t *testing.T) {
	for name, end := range map[string]func(g *guest, b, w wit.Handle){
		"dropped": func(g *guest, b, w wit.Handle) {
			g.drop("io/streams output-stream", w)
			g.drop("http/types outgoing-body", b)
		},
		"ended": func(*guest, wit.Handle, wit.Handle) {},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, wasi.Env{}, func(g *guest, _, outparam wit.Handle) {
				b, w := g.answer(outparam, 200)
				g.write(w, "half")
				end(g, b, w)
			})
			resp, err := http.Get(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if text, err := io.ReadAll(resp.Body); err == nil || string(text) != "half" {
				t.Errorf("%q, %v: want half, and an error", text, err)
			}
		})
	}
}

func TestServeChecksContentLength(t *testing.T) {
	s := serve(t, wasi.Env{}, func(g *guest, request, outparam wit.Handle) {
		b, w := g.answer(outparam, 200, "content-length", "5")
		g.write(w, "1234")
		if as[wit.Choice](g.call("http/types [method]incoming-request.path-with-query", request)).Value == "/long" {
			failure := as[wit.Choice](g.fails(out+"blocking-write-and-flush", w, []byte("56")))
			e := as[wit.Handle](failure.Value)
			code := as[wit.Choice](as[wit.Choice](g.call("http/types http-error-code", e)).Value)
			if code != (wit.Choice{Case: uint32(wasi.HTTPResponseBodySize), Value: wit.Some(uint64(6))}) {
				t.Errorf("too long: %v", code)
			}
			if as[string](g.call("io/error [method]error.to-debug-string", e)) == "" {
				t.Error("the error says nothing")
			}
			return
		}
		g.drop("io/streams output-stream", w)
		if code := as[wit.Choice](g.fails("http/types [static]outgoing-body.finish", b, wit.None())); code != (wit.Choice{Case: uint32(wasi.HTTPResponseBodySize), Value: wit.Some(uint64(4))}) {
			t.Errorf("too short: %v", code)
		}
	})
	for _, path := range []string{"/long", "/short"} {
		resp, err := http.Get(s.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("%s: %q is taken for whole", path, text)
		}
		resp.Body.Close()
	}
}

func TestServeSaysWhyThereIsNoResponse(t *testing.T) {
	why := make(chan error, 2)
	s := serveThen(t, wasi.Env{}, func(g *guest, request, outparam wit.Handle) {
		if as[wit.Choice](g.call("http/types [method]incoming-request.path-with-query", request)).Value == "/err" {
			g.call("http/types [static]response-outparam.set", outparam, wit.Error(wit.Choice{Case: uint32(wasi.LoopDetected)}))
		}
	}, func(err error) { why <- err })
	resp, _ := get(t, s.URL+"/err")
	var failure *wasi.HTTPError
	if err := <-why; !errors.As(err, &failure) || failure.Code != wasi.LoopDetected || resp.StatusCode != http.StatusBadGateway {
		t.Errorf("%v, %s", err, resp.Status)
	}
	if _, _ = get(t, s.URL); !errors.Is(<-why, wasi.ErrNoResponse) {
		t.Error("want ErrNoResponse")
	}
}

// A response without a body, to the methods and with the statuses that have none.
func TestServeWithoutBody(t *testing.T) {
	s := serve(t, wasi.Env{}, func(g *guest, request, outparam wit.Handle) {
		status := uint16(http.StatusOK)
		if as[wit.Choice](g.call("http/types [method]incoming-request.path-with-query", request)).Value == "/304" {
			status = http.StatusNotModified
		}
		r := g.handle("http/types [constructor]outgoing-response", g.headers("content-length", "12"))
		g.ok("http/types [method]outgoing-response.set-status-code", r, status)
		g.call("http/types [static]response-outparam.set", outparam, wit.Ok(r))
	})
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{http.MethodHead, "/", http.StatusOK},
		{http.MethodGet, "/304", http.StatusNotModified},
		{http.MethodGet, "/", http.StatusBadGateway}, // it is not as long as it says
	} {
		req, _ := http.NewRequest(c.method, s.URL+c.path, nil)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != c.want {
			t.Errorf("%s %s: %s", c.method, c.path, resp.Status)
		}
	}
}

func TestServeContinuesWhenTheBodyIsRead(t *testing.T) {
	s := serve(t, wasi.Env{}, func(g *guest, request, outparam wit.Handle) {
		rb := as[wit.Handle](g.ok("http/types [method]incoming-request.consume", request))
		r := as[wit.Handle](g.ok("http/types [method]incoming-body.stream", rb))
		text, _ := g.readAll(r)
		b, w := g.answer(outparam, 200)
		g.write(w, text)
		g.finish(b, w)
	})
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
	r := bufio.NewReader(conn)
	if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, " 100 ") {
		t.Fatalf("%q %v", line, err)
	}
	_, _ = r.ReadString('\n')
	fmt.Fprint(conn, "abc")
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(resp.Body); string(text) != "abc" || err != nil {
		t.Errorf("%q %v", text, err)
	}
}

// why is the error-code of a stream-error, or closed.
func (g *guest) why(failure any) any {
	if failure == closed {
		return closed
	}
	return g.call("http/types http-error-code", as[wit.Choice](failure).Value)
}

func TestServeEndsWhenTheClientGoes(t *testing.T) {
	began, ended := make(chan struct{}), make(chan any, 2)
	s := serve(t, wasi.Env{}, func(g *guest, _, outparam wit.Handle) {
		_, w := g.answer(outparam, 200)
		g.write(w, "begin")
		close(began)
		for {
			c := as[wit.Choice](g.call(out+"blocking-write-and-flush", w, make([]byte, 4096)))
			if !c.IsOk() {
				ended <- g.why(c.Value)
				return
			}
		}
	})
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-began
	conn.Close()
	if why := <-ended; why != closed && why != wit.Some(wit.Choice{Case: uint32(wasi.ConnectionTerminated)}) {
		t.Errorf("the guest is told %v", why)
	}
}

func TestServeFailsToReadWhatIsNotWhole(t *testing.T) {
	for name, want := range map[string]wit.Choice{
		"gone":  {Case: uint32(wasi.ConnectionTerminated)},
		"large": {Case: uint32(wasi.HTTPRequestBodySize), Value: wit.Some(uint64(2))},
	} {
		t.Run(name, func(t *testing.T) {
			began, ended := make(chan struct{}), make(chan any, 1)
			s := serve(t, wasi.Env{}, func(g *guest, request, _ wit.Handle) {
				rb := as[wit.Handle](g.ok("http/types [method]incoming-request.consume", request))
				r := as[wit.Handle](g.ok("http/types [method]incoming-body.stream", rb))
				g.ok(in+"blocking-read", r, uint64(1))
				close(began)
				_, end := g.readAll(r)
				ended <- g.why(end)
			})
			if name == "large" {
				next := s.Config.Handler
				s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					r.Body = http.MaxBytesReader(w, r.Body, 2)
					next.ServeHTTP(w, r)
				})
			}
			conn, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
			<-began
			if name == "gone" {
				conn.Close()
			}
			if got := <-ended; got != wit.Some(want) {
				t.Errorf("the guest is told %v", got)
			}
		})
	}
}

// One request comes after the other, whatever the guest does with their bodies.
func TestServeGoesOnAfterBodiesThatAreNotRead(t *testing.T) {
	s := serve(t, wasi.Env{}, func(g *guest, request, outparam wit.Handle) {
		rb := as[wit.Handle](g.ok("http/types [method]incoming-request.consume", request))
		r := as[wit.Handle](g.ok("http/types [method]incoming-body.stream", rb))
		path := as[wit.Choice](g.call("http/types [method]incoming-request.path-with-query", request)).Value
		switch path {
		case "/none":
			return
		case "/some":
			g.ok(in+"blocking-read", r, uint64(10))
		case "/all":
			g.readAll(r)
		}
		b, w := g.answer(outparam, 200)
		g.write(w, as[string](path))
		g.finish(b, w)
	})
	for _, size := range []int{100, 1_000_000} {
		for _, path := range []string{"/all", "/nothing", "/some", "/none", "/all", "/some", "/nothing", "/all"} {
			resp, err := http.Post(s.URL+path, "text/plain", strings.NewReader(strings.Repeat("x", size)))
			if err != nil {
				t.Errorf("%d bytes to %s: %v", size, path, err)
				continue
			}
			text, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if failed := resp.StatusCode != http.StatusOK; err != nil || failed != (path == "/none") || !failed && string(text) != path {
				t.Errorf("%d bytes to %s: %s %q %v", size, path, resp.Status, text, err)
			}
		}
	}
}

func TestServeEndsWhileTheGuestWaitsForTheRequest(t *testing.T) {
	for name, part := range map[string]string{"nothing more": "", "more than is read": strings.Repeat("x", 100_000)} {
		t.Run(name, func(t *testing.T) {
			after := make(chan string, 1)
			s := serve(t, wasi.Env{}, func(g *guest, request, outparam wit.Handle) {
				rb := as[wit.Handle](g.ok("http/types [method]incoming-request.consume", request))
				r := as[wit.Handle](g.ok("http/types [method]incoming-body.stream", rb))
				g.ok(in+"blocking-read", r, uint64(1))
				b, w := g.answer(outparam, 200)
				g.finish(b, w)
				_, end := g.readAll(r) // the response has ended, the guest goes on
				after <- fmt.Sprint(end)
			})
			conn, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx%s", part)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatal(resp, err)
			}
			<-after
		})
	}
}
