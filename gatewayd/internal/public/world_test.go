package public_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/forward"
	"github.com/realm-mesh/realm/gatewayd/internal/hostcheck"
	"github.com/realm-mesh/realm/gatewayd/internal/public"
	"github.com/realm-mesh/realm/gatewayd/internal/route"
	"github.com/realm-mesh/realm/gatewayd/internal/server"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var self, other = standin.Peer(0), standin.Peer(1)

// world is the gateway of a node, as clients reach it over TCP.
type world struct {
	testing.TB
	home    paths.Home
	book    *route.Book
	live    *route.Live
	meshd   *standin.Meshd
	handler *public.Handler
	series  *prometheus.Registry
	url     string // of the public listener
	client  *http.Client
}

// protocol is a version of HTTP that clients speak.
type protocol string

const (
	http1 protocol = "HTTP/1.1"
	http2 protocol = "HTTP/2"
)

// both runs a test with clients of both protocols.
func both(t *testing.T, test func(*testing.T, protocol)) {
	for _, p := range []protocol{http1, http2} {
		t.Run(string(p), func(t *testing.T) { test(t, p) })
	}
}

// newWorldOver is newWorld whose client speaks p.
func newWorldOver(t testing.TB, p protocol, runnerd http.Handler, workloads ...api.Ref) *world {
	t.Helper()
	w := newWorld(t, runnerd, workloads...)
	if tr, ok := w.client.Transport.(*http.Transport); ok && p == http2 {
		tr.Protocols = new(http.Protocols)
		tr.Protocols.SetUnencryptedHTTP2(true)
	}
	return w
}

// newWorld runs what is in workloads on this node, behind runnerd.
func newWorld(t testing.TB, runnerd http.Handler, workloads ...api.Ref) *world {
	t.Helper()
	w := &world{TB: t, home: standin.Home(t), book: route.NewBook(self), meshd: &standin.Meshd{}, series: prometheus.NewRegistry()}
	if runnerd != nil {
		standin.Serve(t, w.home, api.Runnerd, runnerd)
	}
	standin.Serve(t, w.home, api.Meshd, w.meshd)
	w.book.ResetFacts()
	w.book.SyncedFacts()
	w.book.ResetPeers()
	w.book.SyncedPeers()
	w.book.ResetRecords()
	w.book.SyncedRecords()
	w.live = route.NewLive(w.book.Table(time.Now()))
	for _, r := range workloads {
		w.fact(r, self, api.StateRunning)
	}
	metrics := public.NewMetrics(w.series, w.live)
	sender := forward.New(standin.Client(t, w.home).Transport, w.live, metrics.Tried)
	w.handler = public.New(sender, w.live, metrics, slog.New(slog.DiscardHandler))
	w.url = "http://" + serve(t, hostcheck.Guard(w.handler), server.NewMetrics(w.series))
	w.client = &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

// serve serves h until the test ends, and returns the address.
func serve(t testing.TB, h http.Handler, m *server.Metrics) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := server.New(server.Config{Name: "programs", Handler: h, Metrics: m, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, ln, 0) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
	return ln.Addr().String()
}

func (w *world) fact(r api.Ref, p api.PeerID, s api.State) {
	w.book.PutFact(api.WorkloadFact{Ref: r, Peer: p, State: s})
	w.live.Set(w.book.Table(time.Now()))
}

func (w *world) connect(p api.PeerID, runnerd http.Handler) {
	w.meshd.Connect(p, runnerd)
	w.book.PutPeer(api.PeerRecord{PeerFact: api.PeerFact{Peer: p}, Connected: true})
	w.live.Set(w.book.Table(time.Now()))
}

// do sends a request with headers "Name: value" and returns the answer and its body.
func (w *world) do(method, path, body string, headers ...string) (*http.Response, string) {
	w.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, w.url+path, r)
	if err != nil {
		w.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
			continue
		}
		req.Header[name] = append(req.Header[name], value) // as it is spelled
	}
	resp, err := w.client.Do(req)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return resp, string(b)
}

// raw sends bytes as they are and returns the answer.
func (w *world) raw(request string) (*http.Response, string) {
	w.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, request)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		w.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return resp, string(b)
}

// failure reads an ErrorReply.
func (w *world) failure(body string) string {
	w.Helper()
	var e api.ErrorReply
	if err := json.Unmarshal([]byte(body), &e); err != nil || e.Error == "" {
		w.Fatalf("no error reply: %q", body)
	}
	return e.Error
}

// value is that of a series without labels.
func (w *world) value(name string) float64 {
	w.Helper()
	families, err := w.series.Gather()
	if err != nil {
		w.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		m := f.Metric[0]
		switch {
		case len(m.Label) != 0:
			w.Fatalf("%s has labels", name)
		case m.Counter != nil:
			return m.Counter.GetValue()
		case m.Gauge != nil:
			return m.Gauge.GetValue()
		case m.Histogram != nil:
			return float64(m.Histogram.GetSampleCount())
		}
	}
	w.Fatalf("no series %s", name)
	return 0
}

// echo is a runnerd whose functions return their arguments and whose components
// answer with what they got.
func echo() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(api.RouteFunction, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		var req api.CallRequest
		if err == nil {
			err = api.Decode(b, api.MaxMessage, &req)
		}
		if err != nil {
			local.WriteError(w, http.StatusBadRequest, err)
			return
		}
		result := "null"
		switch len(req.Args) {
		case 0:
		case 1:
			result = string(req.Args[0])
		default:
			b, _ := json.Marshal(req.Args)
			result = string(b)
		}
		local.WriteJSON(w, http.StatusOK, api.CallReply{Result: json.RawMessage(result)})
	})
	mux.HandleFunc(api.RouteComponent, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		local.WriteJSON(w, http.StatusOK, seen{r.Method, r.URL.RequestURI(), r.Host, r.Header, string(b), r.Trailer})
	})
	return mux
}

// seen is a request as a component got it.
type seen struct {
	Method, URI, Host string // URI: as runnerd's route sees it
	Header            http.Header
	Body              string
	Trailer           http.Header
}

var (
	double = api.Ref{Kind: api.KindFunction, Name: "double"}
	hello  = api.Ref{Kind: api.KindComponent, Name: "hello"}
)
