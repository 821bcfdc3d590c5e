package public_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/public"
	"github.com/realm-mesh/realm/gatewayd/internal/server"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
)

// got reads what the component saw.
func (w *world) got(resp *http.Response, body string) seen {
	w.Helper()
	var s seen
	if err := json.Unmarshal([]byte(body), &s); err != nil || resp.StatusCode != http.StatusOK {
		w.Fatalf("%s %s", resp.Status, body)
	}
	return s
}

func TestPathsAndQueriesStayAsTheyAre(t *testing.T) { both(t, testPathsAndQueriesStayAsTheyAre) }

func testPathsAndQueriesStayAsTheyAre(t *testing.T, over protocol) {
	w := newWorldOver(t, over, echo(), hello)
	w.connect(other, echo())
	away := api.Ref{Kind: api.KindComponent, Name: "away"}
	w.fact(away, other, api.StateRunning)
	for _, uri := range []string{
		"/", "/a", "/a/b/", "/a%2Fb", "/a%20b", "/%C3%A9", "//a///b/", "/http://example.com/x", "/a;b=c", "/...", "/a..b", "/.hidden",
		"/?x=1&y=2", "/?a=%zz&b;c", "/?", "/a?b?c", "/?q=a+b%20c#", "/%3Fno=query", "/a:b@c", "/!$&'()*+,=~",
	} {
		uri = strings.TrimSuffix(uri, "#")
		for _, name := range []string{"hello", "away"} {
			resp, body := w.raw("GET /" + name + uri + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			s := w.got(resp, body)
			// No router on the way must see an empty segment.
			want := strings.ReplaceAll("/components/"+name+uri, "//", "/%2F")
			if s.URI != want {
				t.Errorf("%s: the component sees %s, want %s", uri, s.URI, want)
			}
		}
	}
}

func TestBadPaths(t *testing.T) {
	w := newWorld(t, echo(), hello)
	for uri, want := range map[string]int{
		"/hello/..":               400,
		"/hello/../exec":          400,
		"/hello/%2e%2e/x":         400,
		"/hello/a/.%2E/b":         400,
		"/hello/./a":              400,
		"/hello/a%2f..%2fb":       400,
		"/hello/%00":              400,
		"/hello/%zz":              400,
		"/../hello/":              404,
		"/%2e%2e/":                404,
		"//hello/":                404,
		"/hello%2Fa/":             404,
		"/%68ello/":               404,
		"/HELLO/":                 404,
		"/favicon.ico":            404,
		"/nobody/":                404,
		"/exec/":                  404,
		"*":                       400,
		"http://evil.example/":    421,
		"http://localhost/hello/": 200,
		"/hello/":                 200,
	} {
		method := http.MethodGet
		if uri == "*" {
			method = http.MethodOptions
		}
		resp, body := w.raw(method + " " + uri + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		if uri == "*" && resp.StatusCode == http.StatusOK {
			continue // the server itself answers this one
		}
		if resp.StatusCode != want {
			t.Errorf("%s: %s %s, want %d", uri, resp.Status, body, want)
		}
	}
	resp, body := w.do(http.MethodGet, "/nobody/", "")
	if !strings.Contains(w.failure(body), "realm status") || resp.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%v %s", resp.Header, body)
	}
}

func TestFunctionIsNoComponent(t *testing.T) {
	w := newWorld(t, echo(), double)
	if resp, body := w.do(http.MethodGet, "/double/", ""); resp.StatusCode != http.StatusNotFound || !strings.Contains(w.failure(body), "POST /exec") {
		t.Errorf("%s %s", resp.Status, body)
	}
}

func TestRedirectToFolder(t *testing.T) {
	w := newWorld(t, echo(), hello)
	for path, want := range map[string]string{"/hello": "/hello/", "/hello?a=b&c": "/hello/?a=b&c", "/hello?u=//evil.example": "/hello/?u=//evil.example"} {
		resp, _ := w.do(http.MethodPost, path, "body")
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusTemporaryRedirect || got != want {
			t.Errorf("%s: %s %s, want %s", path, resp.Status, got, want)
		}
	}
}

func TestHeaders(t *testing.T) {
	w := newWorld(t, echo(), hello)
	resp, body := w.do(http.MethodPut, "/hello/", "data",
		// what a client may claim
		"Host: app.localhost", "Accept: text/x", "Authorization: Bearer t", "Cookie: a=b", "X-Two: 1", "X-Two: 2", "User-Agent: me",
		// what it may not
		"X-Forwarded-For: 6.6.6.6", "x-forwarded-host: evil.example", "X-Forwarded-Proto: https", "X-Forwarded-Port: 1",
		"X-Forwarded-Prefix: /x", "Forwarded: for=6.6.6.6", "X-Real-Ip: 6.6.6.6", "Proxy: http://evil.example",
		"X_Forwarded_For: 6.6.6.6", "x_real_ip: 6.6.6.6", "Realm-Token: t", "Realm-Peer: p", "realm-not-accepted: 1",
		// what ends at the next hop
		"Connection: X-Hop", "X-Hop: 1", "Keep-Alive: 5", "Te: trailers, deflate", "Proxy-Authorization: x")
	s := w.got(resp, body)
	if s.Method != http.MethodPut || s.Body != "data" || s.Host != "app.localhost" {
		t.Errorf("%+v", s)
	}
	want := http.Header{
		"Accept": {"text/x"}, "Authorization": {"Bearer t"}, "Cookie": {"a=b"}, "X-Two": {"1", "2"}, "User-Agent": {"me"},
		"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {"app.localhost"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Prefix": {"/hello"},
		"Te": {"trailers"}, "Accept-Encoding": {"gzip"}, "Content-Length": {"4"},
	}
	for name, values := range s.Header {
		if strings.Join(values, "|") != strings.Join(want[name], "|") {
			t.Errorf("the component sees %s: %q, want %q", name, values, want[name])
		}
	}
	for name := range want {
		if s.Header[name] == nil {
			t.Errorf("the component does not see %s", name)
		}
	}
}

func TestAnswersPassAsTheyAre(t *testing.T) { both(t, testAnswersPassAsTheyAre) }

func testAnswersPassAsTheyAre(t *testing.T, over protocol) {
	mux := http.NewServeMux()
	mux.HandleFunc("/components/hello/", func(rw http.ResponseWriter, _ *http.Request) {
		h := rw.Header()
		h.Set("Content-Type", "text/x")
		h.Add("Set-Cookie", "a=1")
		h.Add("Set-Cookie", "b=2")
		h.Set("Location", "/hello/there")
		h.Set("Realm-Secret", "inner")
		h.Set("Trailer", "X-Sum")
		rw.WriteHeader(http.StatusTeapot)
		fmt.Fprint(rw, "short and stout")
		h.Set("X-Sum", "abc")
		h.Set(http.TrailerPrefix+"X-Late", "def")
	})
	w := newWorldOver(t, over, mux, hello)
	resp, body := w.do(http.MethodGet, "/hello/", "")
	if resp.StatusCode != http.StatusTeapot || body != "short and stout" || resp.Header.Get("Content-Type") != "text/x" ||
		len(resp.Header["Set-Cookie"]) != 2 || resp.Header.Get("Location") != "/hello/there" {
		t.Errorf("%s %v %s", resp.Status, resp.Header, body)
	}
	if resp.Header.Get("Realm-Secret") != "" {
		t.Error("a header of the daemons' own leaves the node")
	}
	if resp.Trailer.Get("X-Sum") != "abc" || resp.Trailer.Get("X-Late") != "def" {
		t.Errorf("trailers: %v", resp.Trailer)
	}
}

func TestTrailersOfRequests(t *testing.T) { both(t, testTrailersOfRequests) }

func testTrailersOfRequests(t *testing.T, over protocol) {
	w := newWorldOver(t, over, echo(), hello)
	pr, pw := io.Pipe()
	req, _ := http.NewRequest(http.MethodPost, w.url+"/hello/", pr)
	req.Trailer = http.Header{"X-Sum": nil}
	go func() {
		fmt.Fprint(pw, "body")
		req.Trailer.Set("X-Sum", "abc")
		pw.Close()
	}()
	resp, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if s := w.got(resp, string(b)); s.Body != "body" || s.Trailer.Get("X-Sum") != "abc" {
		t.Errorf("%+v", s)
	}
}

// TestBothWaysAtOnce has a component answer each line before the next one is sent.
func TestBothWaysAtOnce(t *testing.T) { both(t, testBothWaysAtOnce) }

func testBothWaysAtOnce(t *testing.T, over protocol) {
	w := newWorldOver(t, over, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(rw)
		_ = c.EnableFullDuplex()
		_ = c.Flush()
		buf := make([]byte, 100)
		for {
			n, err := r.Body.Read(buf)
			if n > 0 {
				fmt.Fprintf(rw, "<%s>", buf[:n])
				_ = c.Flush()
			}
			if err != nil {
				return
			}
		}
	}), hello)
	pr, pw := io.Pipe()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/hello/", pr)
	resp, err := w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for _, word := range []string{"one", "two", "three"} {
		fmt.Fprint(pw, word)
		got := make([]byte, len(word)+2)
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != "<"+word+">" {
			t.Fatalf("%q answered by %q %v", word, got, err)
		}
	}
	pw.Close()
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) != 0 {
		t.Errorf("%q %v", rest, err)
	}
}

func TestClientLeaves(t *testing.T) { both(t, testClientLeaves) }

func testClientLeaves(t *testing.T, over protocol) {
	entered, left := make(chan struct{}), make(chan struct{})
	w := newWorldOver(t, over, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		close(entered)
		<-r.Context().Done()
		close(left)
	}), hello, double)
	for name, send := range map[string]func(context.Context) error{
		"component": func(ctx context.Context) error {
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/hello/", nil)
			_, err := w.client.Do(req)
			return err
		},
		"function": func(ctx context.Context) error {
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/exec", strings.NewReader(`{"name":"double"}`))
			req.Header.Set("Content-Type", "application/json")
			_, err := w.client.Do(req)
			return err
		},
	} {
		entered, left = make(chan struct{}), make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 1)
		go func() { errs <- send(ctx) }()
		<-entered
		cancel()
		if err := <-errs; err == nil {
			t.Errorf("%s: answered", name)
		}
		select {
		case <-left:
		case <-time.After(5 * time.Second):
			t.Errorf("%s: the program does not learn that its client has gone", name)
		}
	}
	if got := w.value("gateway_errors_total"); got != 0 {
		t.Errorf("a client that left counts as an error: %v", got)
	}
}

// TestAnswerBreaksOff wants the client to see that an answer is not whole.
func TestAnswerBreaksOff(t *testing.T) { both(t, testAnswerBreaksOff) }

func testAnswerBreaksOff(t *testing.T, over protocol) {
	w := newWorldOver(t, over, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(rw, "half")
		_ = http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler)
	}), hello)
	resp, err := w.client.Get(w.url + "/hello/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err == nil || string(b) != "half" {
		t.Errorf("%q %v", b, err)
	}
	// The count comes when the handler has ended, after the client has seen it.
	for end := time.Now().Add(5 * time.Second); w.value("gateway_errors_total") != 1; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not count as an error")
		}
	}
}

func TestSizes(t *testing.T) {
	w := newWorld(t, echo(), hello)
	if resp, _ := w.do(http.MethodGet, "/hello/", "", "X-Large: "+strings.Repeat("x", server.MaxHeader+8<<10)); resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("large headers: %s", resp.Status)
	}
	resp, body := w.raw(fmt.Sprintf("POST /hello/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", public.MaxBody+1))
	if resp.StatusCode != http.StatusRequestEntityTooLarge || w.failure(body) == "" {
		t.Errorf("large body: %s %s", resp.Status, body)
	}
}

// TestBounded has programs take all the places they may: what is too much is told so,
// and served later; others are served meanwhile.
func TestBounded(t *testing.T) { both(t, testBounded) }

func testBounded(t *testing.T, over protocol) {
	release := make(chan struct{})
	all := []api.Ref{hello, {Kind: api.KindComponent, Name: "second"}, {Kind: api.KindComponent, Name: "third"}}
	w := newWorldOver(t, over, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Quick") == "" && r.Method != http.MethodHead { // which asks whether it is there
			<-release
		}
	}), all...)
	done := make(chan int, public.MaxCalls)
	fill := func(ref api.Ref, until float64) {
		for range public.MaxShare {
			go func() {
				resp, err := w.client.Get(w.url + "/" + string(ref.Name) + "/")
				if err != nil {
					done <- 0
					return
				}
				resp.Body.Close()
				done <- resp.StatusCode
			}()
		}
		for end := time.Now().Add(20 * time.Second); w.value("realm_gateway_in_flight") < until; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%v in flight", w.value("realm_gateway_in_flight"))
			}
		}
	}
	get := func(ref api.Ref, status int) {
		t.Helper()
		resp, body := w.do(http.MethodGet, "/"+string(ref.Name)+"/", "", "Quick: yes")
		if resp.StatusCode != status || status != http.StatusOK && (resp.Header.Get("Retry-After") == "" || w.failure(body) == "") {
			t.Errorf("%s: %s %s", ref, resp.Status, body)
		}
	}
	fill(all[0], public.MaxShare)
	get(all[0], http.StatusServiceUnavailable)
	get(all[1], http.StatusOK)
	fill(all[1], public.MaxCalls)
	get(all[2], http.StatusServiceUnavailable)
	if resp, _ := w.do(http.MethodGet, "/", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("the index needs a place: %s", resp.Status)
	}
	close(release)
	for range public.MaxCalls {
		if status := <-done; status != http.StatusOK {
			t.Fatalf("status %d", status)
		}
	}
	for _, ref := range all {
		get(ref, http.StatusOK)
	}
}

func TestIndex(t *testing.T) {
	w := newWorld(t, echo())
	if _, body := w.do(http.MethodGet, "/", ""); !strings.Contains(body, "realm push") {
		t.Errorf("an empty node: %q", body)
	}
	w.fact(hello, self, api.StateRunning)
	w.fact(hello, other, api.StateFailed)
	w.fact(hello, standin.Peer(2), api.StateRunning)
	w.fact(double, other, api.StateRunning)
	resp, body := w.do(http.MethodGet, "/", "")
	want := "component  hello                 running on 2, failed on 1, this node among them\n" +
		"function   double                running on 1\n"
	if body != want || resp.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%v\n%s\nwant\n%s", resp.Header, body, want)
	}
	resp, body = w.do(http.MethodGet, "/", "", "Accept: text/html,*/*")
	if !strings.Contains(body, `<a href="/hello/">hello</a>`) || strings.Contains(body, `href="/double/"`) ||
		resp.Header.Get("Content-Type") != "text/html; charset=utf-8" || resp.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%v\n%s", resp.Header, body)
	}
	if resp, _ := w.do(http.MethodPost, "/", "x"); resp.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST: %s", resp.Status)
	}
}
