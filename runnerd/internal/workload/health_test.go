package workload

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

// switchable is a folder that programs may mount, in which files make them well or ill.
type switchable struct {
	t   *testing.T
	dir string
}

// withFiles lets a node's programs see a folder of its own.
func withFiles(t *testing.T) (switchable, func(*node)) {
	s := switchable{t, t.TempDir()}
	return s, func(n *node) { n.room.Mounts = []string{s.dir} }
}

func (s switchable) set(name string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), nil, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s switchable) clear(name string) {
	s.t.Helper()
	if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
		s.t.Fatal(err)
	}
}

// web is a program that answers each request with a text, or with 503 while there is a
// file ill.
func (s switchable) web(n *node, text, ill string) *api.Component {
	c := n.command(wasmtest.IfFile(ill, []wasmtest.Step{wasmtest.Out("Status: 503 x\n\n")}, []wasmtest.Step{wasmtest.Out("Content-Type: text/plain\n\n" + text)}))
	c.Interface = api.InterfaceCGI
	c.Mounts = []api.Mount{{Host: s.dir, Guest: "/state", RO: true}}
	c.Health = &api.Health{Path: "/health", Interval: api.Duration(30 * time.Millisecond), Failures: 3}
	return c
}

// get asks the worker as the daemon does, and returns the status and the body.
func (n *node) get(ctx context.Context) (int, string, error) {
	p, release, err := n.set.Component(worker.Name)
	if err != nil {
		return 0, "", err
	}
	defer release()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/components/worker/", nil)
	err = p.Serve(w, r, "")
	return w.Code, w.Body.String(), err
}

func TestHealthTurnsBadAndGood(t *testing.T) {
	files, option := withFiles(t)
	n := newNode(t, option)
	files.set("ill")
	n.push(worker, files.web(n, "hello", "ill"))
	f := n.await(1, api.StateStarting)
	n.until("it says why", func() bool { f = n.last(); return f.Reason != "" })
	if f.Reason != "GET /health: it answers 503 Service Unavailable" || f.Answers() {
		t.Errorf("%s: %s", f.State, f.Reason)
	}
	if _, _, err := n.get(t.Context()); !strings.Contains(err.Error(), "it is starting on this node: GET /health") {
		t.Error(err)
	}
	for range 2 {
		files.clear("ill")
		if f := n.await(1, api.StateRunning); f.Reason != "" || !f.Answers() {
			t.Errorf("%s", f.Reason)
		}
		files.set("ill")
		if f := n.await(1, api.StateUnhealthy); f.Answers() || !strings.HasPrefix(f.Reason, "GET /health: it answers 503") {
			t.Errorf("%s", f.Reason)
		}
		if code, _, err := n.get(t.Context()); code != http.StatusServiceUnavailable || err != nil {
			t.Error("who asks it all the same gets an answer: ", code, err)
		}
	}
}

// TestWebTakesOverWhenItIsWell replaces a web program under requests.
func TestWebTakesOverWhenItIsWell(t *testing.T) {
	files, option := withFiles(t)
	n := newNode(t, option)
	n.push(worker, files.web(n, "v1", "ill1"))
	n.await(1, api.StateRunning)
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			if code, body, err := n.get(context.Background()); code != http.StatusOK || err != nil {
				ended <- errors.Join(err, errors.New(body))
				return
			}
		}
	}()
	for seq, ill := range map[uint64]string{2: "a", 3: "b"} {
		_ = seq
		files.set(ill)
	}
	for seq, ill := range []string{2: "a", 3: "b"} {
		if ill == "" {
			continue
		}
		told := n.count()
		n.push(worker, files.web(n, "v"+string(rune('0'+seq)), ill))
		n.until("it says why it waits", func() bool { f := n.last(); return f.Seq == uint64(seq) && f.Reason != "" })
		files.clear(ill)
		n.await(uint64(seq), api.StateRunning)
		for _, f := range n.since(told) {
			if !f.Answers() {
				t.Errorf("nothing answers: %s", states(n.since(told)))
			}
		}
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, body, err := n.get(t.Context()); body != "v3" || err != nil {
		t.Error(body, err)
	}
}

func TestNeverReady(t *testing.T) {
	soon := &api.Update{Deadline: api.Duration(300 * time.Millisecond)}
	const reason = "it was not ready after 300ms: GET /health: it answers 503 Service Unavailable"
	t.Run("with another to go on", func(t *testing.T) {
		for _, order := range []api.Order{api.StartFirst, api.StopFirst} {
			files, option := withFiles(t)
			n := newNode(t, option)
			n.push(worker, files.web(n, "v1", "other"))
			n.await(1, api.StateRunning)
			files.set("ill")
			bad := files.web(n, "v2", "ill")
			bad.Update = &api.Update{Order: order, Deadline: soon.Deadline}
			n.push(worker, bad)
			n.until("it has failed", func() bool { f := n.last(); return f.State == api.StateFailed && f.Serving == 1 })
			if f := n.last(); f.Reason != reason+"; version 1 goes on" {
				t.Errorf("%s: %s", order, f.Reason)
			}
			files.clear("ill") // it is not tried again
			time.Sleep(100 * time.Millisecond)
			if _, body, err := n.get(t.Context()); body != "v1" || err != nil {
				t.Errorf("%s: %s, %v", order, body, err)
			}
		}
	})
	t.Run("alone", func(t *testing.T) { // there is nothing to lose by asking on
		files, option := withFiles(t)
		n := newNode(t, option)
		files.set("ill")
		bad := files.web(n, "v1", "ill")
		bad.Update = soon
		n.push(worker, bad)
		if f := n.await(1, api.StateFailed); f.Reason != reason {
			t.Error(f.Reason)
		}
		files.clear("ill")
		n.await(1, api.StateRunning)
	})
}

// TestRevivedWebAnswersAtOnce has a program that was well be taken for well.
func TestRevivedWebAnswersAtOnce(t *testing.T) {
	files, option := withFiles(t)
	n := newNode(t, option)
	n.push(worker, files.web(n, "v1", "ill"))
	n.await(1, api.StateRunning)
	files.set("ill")
	n.stop()
	n.begin()
	n.sign(worker, files.web(n, "v2", "ill"))
	n.owe(worker, api.DutyKeep, "why")
	if f := n.await(2, api.StatePending); f.Serving != 1 {
		t.Error("it does not answer")
	}
	n.until("it is found ill", func() bool { return n.last().Serving == 0 })
	files.clear("ill")
	n.until("it is found well", func() bool { return n.last().Serving == 1 })
}

// TestMountThatIsNotAllowed is refused by this node alone.
func TestMountThatIsNotAllowed(t *testing.T) {
	files, _ := withFiles(t)
	n := newNode(t)
	n.push(worker, files.web(n, "v1", "ill"))
	if f := n.await(1, api.StateRefused); !strings.Contains(f.Reason, "realm configure --allow-mount") {
		t.Error(f.Reason)
	}
}

// TestProbeIntervals counts how often a program is asked.
func TestProbeIntervals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Time
		var told []string
		p := &prober{health: (&api.Health{Path: "/"}).WithDefaults(),
			ask: func(context.Context) error {
				asked = append(asked, time.Now())
				switch n := len(asked); {
				case n < 4, n >= 10 && n < 14:
					return errors.New("ill")
				}
				return nil
			},
			report: func(s status) { told = append(told, string(s.state)) },
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		p.run(ctx)
		ready := asked[3].Sub(asked[0])
		if ready > 1100*time.Millisecond {
			t.Errorf("asked for the fourth time after %s", ready)
		}
		for i := 4; i < len(asked); i++ {
			if d := asked[i].Sub(asked[i-1]); d < 9*time.Second || d > 11*time.Second {
				t.Errorf("asked after %s", d)
			}
		}
		if n := len(asked); n < 4+26 || n > 4+34 {
			t.Errorf("asked %d times", n)
		}
		want := "starting starting starting running running running running running running unhealthy unhealthy running"
		if got := strings.Join(told, " "); !strings.HasPrefix(got, want) || strings.Count(got, "unhealthy") != 2 {
			t.Errorf("told %s", got)
		}
	})
}
