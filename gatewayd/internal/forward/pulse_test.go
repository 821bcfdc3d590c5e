package forward_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// stop has the socket of a daemon take connections on which nobody ever answers, as those
// of a process that is stopped do.
func (w *world) stop(d api.Daemon) {
	w.Helper()
	ln, err := local.Listen(w.home, d)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { ln.Close() })
}

// TestRunnerdStopped has the program run on another member too.
func TestRunnerdStopped(t *testing.T) {
	w := newWorld(t).withMeshd()
	w.stop(api.Runnerd)
	w.meshd.Connect(near, &runner{name: "near"})
	w.runs(self, near)
	if status, body, err := w.send(http.MethodGet, nil); err != nil || status != http.StatusOK || !strings.HasPrefix(body, "near") {
		t.Fatalf("%d %q %v", status, body, err)
	}
	// From now on it is not asked at first.
	if status, body, err := w.send(http.MethodPost, strings.NewReader("x")); err != nil || status != http.StatusOK || !strings.HasPrefix(body, "near") {
		t.Errorf("%d %q %v", status, body, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if here := w.tries[0].Here; len(w.tries) != 3 || !here || w.tries[1].Here || w.tries[2].Here {
		t.Errorf("tries: %+v", w.tries)
	}
}

// TestMeshdStopped loses the request that it holds, and says so; those after it were not
// sent.
func TestMeshdStopped(t *testing.T) {
	w := newWorld(t)
	w.stop(api.Meshd)
	w.runs(near)
	if _, _, err := w.send(http.MethodPost, strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), "may or may not have run") {
		t.Errorf("%v", err)
	}
	if _, _, err := w.send(http.MethodPost, strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), "may or may not have run") && !strings.Contains(err.Error(), "meshd of this node") {
		t.Errorf("%v", err)
	}
}

// TestSlowProgram thinks longer than a daemon has to show that it is there.
func TestSlowProgram(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := &runner{name: "here"}
	standin.Serve(t, w.home, api.Runnerd, http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		if req.Method != http.MethodHead {
			time.Sleep(4 * time.Second)
		}
		r.ServeHTTP(rw, req)
	}))
	w.runs(self)
	if status, _, err := w.send(http.MethodPost, strings.NewReader("x")); err != nil || status != http.StatusOK {
		t.Errorf("%d, %v", status, err)
	}
}
