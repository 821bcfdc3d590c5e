package workload

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

// slowWeb is a web program that takes a second to answer with a text.
func (n *node) slowWeb(text string, order api.Order) *api.Component {
	c := n.command(wasmtest.Err("begun\n"), wasmtest.Sleep(time.Second), wasmtest.Out("Content-Type: text/plain\n\n"+text))
	c.Interface = api.InterfaceCGI
	c.Update = &api.Update{Order: order}
	return c
}

// TestRequestOnItsWay has what answers a request be replaced, stopped and removed
// meanwhile.
func TestRequestOnItsWay(t *testing.T) {
	type answer struct {
		code int
		body string
		err  error
		at   time.Time
	}
	for name, change := range map[string]struct {
		to     func(*node) api.Workload
		state  api.State
		during bool // the state is reached while the request is on its way
	}{
		"replaced":             {func(n *node) api.Workload { return n.slowWeb("v2", api.StartFirst) }, api.StateRunning, true},
		"replaced, stop first": {func(n *node) api.Workload { return n.slowWeb("v2", api.StopFirst) }, api.StateRunning, false},
		"by a command":         {func(n *node) api.Workload { return n.counting() }, api.StateRunning, true},
		"stopped": {func(n *node) api.Workload {
			c := n.slowWeb("v1", api.StartFirst)
			c.Stopped = true
			return c
		}, api.StateStopped, true},
		"removed": {func(*node) api.Workload { return nil }, api.StateRemoved, true},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			rig.Ready(t, wasmtest.Script(), api.DefaultMemoryMB).Release()
			n.push(worker, n.slowWeb("v1", api.StartFirst))
			n.await(1, api.StateRunning)
			to := change.to(n)
			if to != nil {
				n.mu.Lock()
				wasm := n.blobs[to.Program().Blob]
				n.mu.Unlock()
				rig.Ready(t, wasm, api.DefaultMemoryMB).Release() // compiled before
			}
			answered := make(chan answer, 1)
			p, release, err := n.set.Component(worker.Name)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				defer release()
				w := httptest.NewRecorder()
				err := p.Serve(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/components/worker/", nil), "")
				answered <- answer{w.Code, w.Body.String(), err, time.Now()}
			}()
			n.until("the request is on its way", func() bool { return slices.Contains(n.set.Tail(worker), "begun") })
			n.push(worker, to)
			changed := n.await(2, change.state).Since
			got := <-answered
			if changed.Before(got.at) != change.during {
				t.Errorf("the request ended at %s, the change was at %s", got.at, changed)
			}
			if got.code != http.StatusOK || got.body != "v1" || got.err != nil {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestWaitingForRequestsEnds has the owner remove what waits for a request to end, so
// that it can be stopped first.
func TestWaitingForRequestsEnds(t *testing.T) {
	n := newNode(t)
	n.push(worker, n.slowWeb("v1", api.StartFirst))
	n.await(1, api.StateRunning)
	_, release, err := n.set.Component(worker.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	n.push(worker, n.slowWeb("v2", api.StopFirst))
	if f := n.await(2, api.StateStarting); f.Reason != "version 1 is stopped first" || f.Serving != 0 {
		t.Errorf("%d, %s", f.Serving, f.Reason)
	}
	if _, _, err := n.get(t.Context()); !errors.As(err, new(*NotReadyError)) {
		t.Error(err)
	}
	n.push(worker, nil)
	n.await(3, api.StateRemoved)
}

// TestCallOnItsWay has a function be replaced and removed while it is called.
func TestCallOnItsWay(t *testing.T) {
	n := newNode(t)
	slow := &api.Function{Module: n.program(wasmtest.Procedure("answer", wasmtest.Out("begun\n"), wasmtest.Sleep(time.Second), wasmtest.Out("done\n")))}
	n.push(fn, slow)
	n.await(1, api.StateRunning)
	for _, to := range []api.Workload{n.constant(1), nil} {
		done := make(chan error, 1)
		f, release, err := n.set.Function(fn.Name)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer release()
			_, err := f.Call(t.Context(), nil)
			done <- err
		}()
		n.until("the call is on its way", func() bool { tail := n.set.Tail(fn); return len(tail) > 0 && tail[len(tail)-1] == "begun" })
		n.push(fn, to)
		seq := n.prev[fn].Seq
		state := api.StateRunning
		if to == nil {
			state = api.StateRemoved
		}
		n.await(seq, state)
		select {
		case err := <-done:
			t.Error("the call did not outlast the change: ", err)
			continue
		default:
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if to != nil {
			n.push(fn, slow)
			n.await(seq+1, api.StateRunning)
		}
	}
}
