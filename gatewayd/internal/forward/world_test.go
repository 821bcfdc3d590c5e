package forward_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/forward"
	"github.com/realm-mesh/realm/gatewayd/internal/route"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	self   = standin.Peer(0)
	double = api.Ref{Kind: api.KindFunction, Name: "double"}
	// near and far are other members, in the order in which they are asked.
	near, far = standin.Peer(1), standin.Peer(2)
)

// world is a node and a mesh to send requests into.
type world struct {
	*testing.T
	home   paths.Home
	meshd  *standin.Meshd
	book   *route.Book
	live   *route.Live
	sender *forward.Sender

	mu    sync.Mutex
	tries []forward.Try
}

// newWorld has no facts; its meshd is up and connected to nobody.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, home: standin.Home(t), meshd: &standin.Meshd{}, book: route.NewBook(self)}
	w.book.ResetFacts()
	w.book.SyncedFacts()
	w.book.ResetPeers()
	w.book.SyncedPeers()
	w.book.ResetRecords()
	w.book.SyncedRecords()
	for i, p := range []api.PeerID{near, far} {
		w.book.PutPeer(api.PeerRecord{PeerFact: api.PeerFact{Peer: p}, Connected: true, RTT: api.Duration(time.Duration(1+100*i) * time.Millisecond)})
	}
	w.live = route.NewLive(w.book.Table(time.Now()))
	w.sender = forward.New(standin.Client(t, w.home).Transport, w.live, func(try forward.Try) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.tries = append(w.tries, try)
	})
	return w
}

func (w *world) fact(p api.PeerID, s api.State, reason string) {
	w.book.PutFact(api.WorkloadFact{Ref: double, Peer: p, State: s, Reason: reason})
	w.live.Set(w.book.Table(time.Now()))
}

// runs says that double runs on the members.
func (w *world) runs(on ...api.PeerID) {
	for _, p := range on {
		w.fact(p, api.StateRunning, "")
	}
}

func (w *world) withMeshd() *world {
	standin.Serve(w.T, w.home, api.Meshd, w.meshd)
	return w
}

// send sends body to double and returns status and answer.
func (w *world) send(method string, body io.Reader) (int, string, error) {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, api.PathFunction(double.Name), body)
	if err != nil {
		w.Fatal(err)
	}
	resp, err := w.sender.Send(double, req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.Fatal(err)
	}
	return resp.StatusCode, string(b), nil
}

// runner answers for a runnerd: with its name, the path and the body that it got.
type runner struct {
	name string
	runs atomic.Int32
}

func (r *runner) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	b, err := io.ReadAll(req.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.runs.Add(1)
	fmt.Fprintf(w, "%s %s %s", r.name, req.URL.Path, b)
}

// breaks takes a request and breaks off.
type breaks struct{ runs atomic.Int32 }

func (b *breaks) ServeHTTP(_ http.ResponseWriter, req *http.Request) {
	_, _ = io.Copy(io.Discard, req.Body) // as far as it comes
	b.runs.Add(1)
	panic(http.ErrAbortHandler)
}

// lost is a member that is lost with a request: meshd says so.
type lost struct{}

func (lost) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set(api.HeaderInterrupted, "1")
	local.WriteError(w, http.StatusBadGateway, errors.New("it broke"))
}

// loading has no programs at first.
type loading struct {
	runner
	until time.Time
}

func (l *loading) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if time.Now().Before(l.until) {
		w.Header().Set(api.HeaderNotAccepted, api.NotAcceptedUnknown)
		local.WriteError(w, http.StatusNotFound, errors.New("it is not on this node"))
		return
	}
	l.runner.ServeHTTP(w, r)
}

// refuses turns requests away n times, having read some of each body, then answers.
type refuses struct {
	runner
	status int
	read   int64
	left   atomic.Int32
}

func (f *refuses) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if f.left.Add(-1) >= 0 {
		_, _ = io.CopyN(io.Discard, req.Body, f.read) // as far as it comes
		standin.NotAccepted(w, f.status, "not now")
		return
	}
	f.runner.ServeHTTP(w, req)
}

func refuse(name string, status, times int, read int64) *refuses {
	f := &refuses{runner: runner{name: name}, status: status, read: read}
	f.left.Store(int32(times))
	return f
}
