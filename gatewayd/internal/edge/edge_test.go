package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/forward"
	"github.com/realm-mesh/realm/gatewayd/internal/public"
	"github.com/realm-mesh/realm/gatewayd/internal/route"
	"github.com/realm-mesh/realm/gatewayd/internal/server"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/wanted"
)

func TestMain(m *testing.M) {
	retryEvery = 50 * time.Millisecond
	const certmagic = "github.com/caddyserver/certmagic."
	goleak.VerifyTestMain(m, // goroutines that these libraries keep, or end later
		goleak.IgnoreAnyFunction("github.com/letsencrypt/pebble/v2/va.VAImpl.processTasks"),
		goleak.IgnoreAnyFunction(certmagic+"keepLockfileFresh"),
		goleak.IgnoreAnyFunction(certmagic+"(*RingBufferRateLimiter).loop"))
}

// world is an edge whose programs a stand-in of runnerd runs.
type world struct {
	testing.TB
	edge   *Edge
	series *prometheus.Registry
	role   atomic.Bool
	http   string // addresses that were free
	https  string
	opened chan []net.Addr
	seq    uint64
}

// newWorld has an edge with the role, and components that runnerd runs here.
func newWorld(t testing.TB, certs Certs, runnerd http.Handler, names ...api.Name) *world {
	t.Helper()
	w := &world{TB: t, series: prometheus.NewRegistry(), http: free(t), https: free(t), opened: make(chan []net.Addr, 16)}
	w.role.Store(true)
	home, self := standin.Home(t), standin.Peer(0)
	standin.Serve(t, home, api.Runnerd, runnerd)
	book := route.NewBook(self)
	for _, f := range []func(){book.ResetFacts, book.SyncedFacts, book.ResetPeers, book.SyncedPeers, book.ResetRecords, book.SyncedRecords} {
		f()
	}
	for _, n := range names {
		book.PutFact(api.WorkloadFact{Ref: api.Ref{Kind: api.KindComponent, Name: n}, Peer: self, State: api.StateRunning})
	}
	live := route.NewLive(book.Table(time.Now()))
	m, log := public.NewMetrics(w.series, live), slog.New(slog.DiscardHandler)
	sender := forward.New(standin.Client(t, home).Transport, live, m.Tried)
	w.edge = New(Config{
		IsEdge: w.role.Load, HTTP: w.http, HTTPS: w.https, Certs: certs,
		Listen: func(ctx context.Context, addr, _ string) (net.Listener, error) {
			return new(net.ListenConfig).Listen(ctx, "tcp", addr)
		},
		Handler: public.New(sender, live, m, log), Listens: server.NewMetrics(w.series), Log: log,
		Opened: func(a []net.Addr) { w.opened <- a },
	}, NewMetrics(w.series))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.edge.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return w
}

// free is an address that nobody listens on.
func free(t testing.TB) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// want has the owner say what is wanted of a component; nil: nothing any more.
func (w *world) want(name api.Name, c *api.Component) {
	w.Helper()
	w.seq++
	s := intent.Signed{Intent: api.Intent{Ref: api.Ref{Kind: api.KindComponent, Name: name}, Seq: w.seq}}
	if c == nil {
		s.Tombstone = true
	} else {
		c.Module = api.Program{Blob: api.Sum([]byte("x")), Size: 1}
		body, err := json.Marshal(c)
		if err != nil {
			w.Fatal(err)
		}
		s.Body = body
	}
	w.edge.Wanted(wanted.Change{Wants: []wanted.Want{{Signed: s}}})
}

func web(route *api.Route) *api.Component {
	return &api.Component{Interface: api.InterfaceHTTP, Visibility: api.VisibilityPublic, Route: route}
}

func hidden() *api.Component { return &api.Component{Interface: api.InterfaceHTTP} }

func (w *world) isOpen() {
	w.Helper()
	select {
	case <-w.opened:
	case <-time.After(10 * time.Second):
		w.Fatal("it does not open")
	}
}

func (w *world) isClosed() {
	w.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", w.http)
		if err != nil {
			return
		}
		c.Close()
		if time.Now().After(end) {
			w.Fatal("it does not close")
		}
	}
}

func (w *world) client(t *http.Transport) *http.Client {
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		to := w.http
		if strings.HasSuffix(addr, ":443") || addr == w.https || strings.HasSuffix(addr, w.https[strings.LastIndex(w.https, ":"):]) {
			to = w.https
		}
		return new(net.Dialer).DialContext(ctx, network, to)
	}
	w.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (w *world) ask(c *http.Client, method, url string, change func(*http.Request)) answer {
	w.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		w.Fatal(err)
	}
	if change != nil {
		change(req)
	}
	resp, err := c.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	resp.Header.Del("Date")
	return answer{resp.StatusCode, resp.Header, string(body)}
}

// echo tells what of a request arrives at runnerd.
func echo(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %s mount=%q from=%q proto=%s host=%s", r.Method, r.URL.RequestURI(), r.Header.Get(api.HeaderPrefix),
		r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"), r.Host)
}

func TestRoutes(t *testing.T) {
	w := newWorld(t, nil, http.HandlerFunc(echo), "web", "shop", "secret")
	w.want("web", web(nil))
	w.want("shop", web(&api.Route{Host: "shop.example.org", Path: "/buy"}))
	w.want("secret", hidden())
	w.isOpen()
	c := w.client(&http.Transport{})
	for url, want := range map[string]string{
		"http://any.example/web/a%2Fb?x=1": `GET /components/web/a%2Fb?x=1 mount="/web"`,
		"http://shop.example.org/buy/1":    `GET /components/shop/1 mount="/buy"`,
		"http://SHOP.example.org:80/buy/":  `GET /components/shop/ mount="/buy"`,
		"http://any.example/shop/1":        `GET /components/shop/1 mount="/shop"`,
		"http://any.example/web//two":      `GET /components/web/%2Ftwo mount="/web"`,
	} {
		got := w.ask(c, http.MethodGet, url, func(r *http.Request) {
			r.Header.Set("X-Forwarded-For", "203.0.113.9")
			r.Header.Set("X-Forwarded-Proto", "gopher")
			r.Header.Set(api.HeaderPrefix, "/evil")
		})
		if got.status != http.StatusOK || !strings.HasPrefix(got.body, want) || !strings.Contains(got.body, `from="127.0.0.1" proto=http`) {
			t.Errorf("%s: %d %s", url, got.status, got.body)
		}
	}
	if got := w.ask(c, http.MethodPost, "http://any.example/web?a=b", nil); got.status != http.StatusTemporaryRedirect || got.header.Get("Location") != "/web/?a=b" {
		t.Errorf("without a slash: %+v", got)
	}
}

// TestNothingElse asks for all that the node's own listener has, and more: each answer is
// that of a path which nobody has ever used.
func TestNothingElse(t *testing.T) {
	w := newWorld(t, nil, http.HandlerFunc(echo), "web", "secret", "shop")
	w.want("web", web(nil))
	w.want("shop", web(&api.Route{Host: "shop.example.org"}))
	w.want("secret", hidden())
	w.isOpen()
	c := w.client(&http.Transport{})
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
		want := w.ask(c, method, "http://x.example/never", nil)
		if want.status != http.StatusNotFound {
			t.Fatalf("%+v", want)
		}
		for _, path := range []string{"/", "/exec", "/functions", "/functions/double", "/peers", "/secret", "/secret/", "/secret/x",
			"/metrics", "/logs", "/healthz", "/components/secret/", "/web-1/", "/web~http/", "/%2e%2e/exec", "/never/", "/..", "//secret/"} {
			got := w.ask(c, method, "http://x.example"+path, nil)
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s %s: %+v, want %+v", method, path, got, want)
			}
		}
	}
	// By its name no component is under the host of another.
	if got := w.ask(c, http.MethodGet, "http://shop.example.org/web/", nil); !strings.HasPrefix(got.body, "GET /components/shop/web/") {
		t.Errorf("%+v", got)
	}
}

// TestErrors wants strangers to read nothing of what a program logged.
func TestErrors(t *testing.T) {
	w := newWorld(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/own") {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, "of the program's own")
			return
		}
		w.Header().Set(api.HeaderFailed, "1")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprint(w, `{"error":"component/web: trap","tail":["password=hunter2"]}`)
	}), "web")
	w.want("web", web(nil))
	w.want("away", web(nil)) // no member has it
	w.isOpen()
	c := w.client(&http.Transport{})
	if got := w.ask(c, http.MethodGet, "http://x/web/", nil); got.status != http.StatusBadGateway || got.body != `{"error":"bad gateway"}` || got.header.Get(api.HeaderFailed) != "" {
		t.Errorf("a failure: %+v", got)
	}
	if got := w.ask(c, http.MethodGet, "http://x/web/own", nil); got.status != http.StatusInternalServerError || got.body != "of the program's own" {
		t.Errorf("a program's own: %+v", got)
	}
	if got := w.ask(c, http.MethodGet, "http://x/web/a/../b", func(r *http.Request) { r.URL.Opaque = "/web/a/%2e%2e/b" }); got.status != http.StatusBadRequest || strings.Contains(got.body, "segment") {
		t.Errorf("a path: %+v", got)
	}
	if got, want := w.ask(c, http.MethodGet, "http://x/away/", nil), w.ask(c, http.MethodGet, "http://x/never/", nil); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("nobody has it: %+v", got)
	}
}

// TestLife opens and closes with the role, and with what is public.
func TestLife(t *testing.T) {
	w := newWorld(t, nil, http.HandlerFunc(echo), "web")
	w.isClosed()
	w.want("web", hidden())
	w.isClosed()
	for range 2 {
		w.want("web", web(nil))
		w.isOpen()
		w.want("web", hidden())
		w.isClosed()
	}
	w.want("web", web(nil))
	w.isOpen()
	w.role.Store(false)
	w.edge.Wanted(wanted.Change{Members: true})
	w.isClosed()
	w.role.Store(true)
	w.edge.Wanted(wanted.Change{Members: true})
	w.isOpen()
	w.want("web", nil) // removed
	w.isClosed()
	w.want("web", web(nil))
	w.isOpen()
	stopped := web(nil)
	stopped.Stopped = true
	w.want("web", stopped)
	w.isClosed()
}

// TestTaken has another program on the port at first.
func TestTaken(t *testing.T) {
	w := newWorld(t, nil, http.HandlerFunc(echo), "web")
	other, err := net.Listen("tcp", w.http)
	if err != nil {
		t.Fatal(err)
	}
	w.want("web", web(nil))
	time.Sleep(3 * retryEvery) // it has failed
	other.Close()
	w.isOpen()
	if got := w.ask(w.client(&http.Transport{}), http.MethodGet, "http://x/web/", nil); got.status != http.StatusOK {
		t.Errorf("%+v", got)
	}
}

// TestRevoked takes back what a signer has asked for who has no say any more.
func TestRevoked(t *testing.T) {
	w := newWorld(t, nil, http.HandlerFunc(echo), "web")
	w.want("web", web(nil))
	w.isOpen()
	w.edge.Wanted(wanted.Change{Wants: []wanted.Want{{Signed: intent.Signed{Intent: api.Intent{Ref: api.Ref{Kind: api.KindComponent, Name: "web"}}}, Lost: "revoked"}}})
	w.isClosed()
}
