package forward_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/forward"
	"github.com/realm-mesh/realm/gatewayd/internal/route"
	"github.com/realm-mesh/realm/gatewayd/internal/standin"
)

const path = " /functions/double "

func TestWhoIsAsked(t *testing.T) {
	const forever = 1 << 20
	small, large := strings.Repeat("s", 1000), strings.Repeat("l", 3*forward.MaxReplay)
	for name, c := range map[string]struct {
		here, near, far http.Handler // nil: not running there
		method, body    string
		status          int
		want            string // of the answer
		err             error  // its type
		tries           int    // 0: not looked at
	}{
		"this node first":              {here: &runner{name: "here"}, near: &runner{name: "near"}, want: "here" + path, tries: 1},
		"then the nearest":             {near: &runner{name: "near"}, far: &runner{name: "far"}, want: "near" + path, tries: 1},
		"refused here":                 {here: refuse("here", 503, forever, 10), near: &runner{name: "near"}, body: small, want: "near" + path + small, tries: 2},
		"refused as unknown here":      {here: refuse("here", 404, forever, 0), near: &runner{name: "near"}, body: small, want: "near" + path + small, tries: 2},
		"refused by the nearest":       {near: refuse("near", 502, forever, 1000), far: &runner{name: "far"}, body: small, want: "far" + path + small, tries: 2},
		"refused once":                 {here: refuse("here", 503, 1, 1000), body: small, want: "here" + path + small, tries: 2},
		"refused for good":             {here: refuse("here", 404, forever, 0), status: 404, tries: 1},
		"refused by all for good":      {here: refuse("here", 404, forever, 0), near: refuse("near", 404, forever, 0), status: 404, tries: 2},
		"refused till patience ends":   {here: refuse("here", 503, forever, 0), status: 503},
		"refused with too much gone":   {here: refuse("here", 503, forever, int64(len(large))), near: &runner{name: "near"}, body: large, status: 503, tries: 1},
		"a POST that breaks off":       {here: &breaks{}, near: &runner{name: "near"}, body: small, err: new(forward.InterruptedError), tries: 1},
		"a POST that breaks off there": {near: &breaks{}, far: &runner{name: "far"}, body: small, err: new(forward.InterruptedError), tries: 1},
		"a PATCH that breaks off":      {here: &breaks{}, near: &runner{name: "near"}, method: "PATCH", body: small, err: new(forward.InterruptedError), tries: 1},
		"a PUT that breaks off":        {here: &breaks{}, near: &runner{name: "near"}, method: "PUT", body: small, want: "near" + path + small, tries: 2},
		"a large PUT that breaks off":  {here: &breaks{}, near: &runner{name: "near"}, method: "PUT", body: large, err: new(forward.InterruptedError), tries: 1},
		"a POST that is lost there":    {near: lost{}, far: &runner{name: "far"}, body: small, err: new(forward.InterruptedError), tries: 1},
		"a GET that is lost there":     {near: lost{}, far: &runner{name: "far"}, method: "GET", want: "far" + path, tries: 2},
		"a GET that is lost by all":    {near: lost{}, far: lost{}, method: "GET", err: new(forward.InterruptedError), tries: 4},
		"a GET that breaks off":        {here: &breaks{}, near: &runner{name: "near"}, method: "GET", want: "near" + path, tries: 2},
		"a GET that breaks off twice":  {here: &breaks{}, near: &breaks{}, far: &runner{name: "far"}, method: "GET", want: "far" + path, tries: 3},
		"a large body passes":          {here: &runner{name: "here"}, body: large, want: "here" + path + large, tries: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t).withMeshd()
			if c.here != nil {
				standin.Serve(t, w.home, api.Runnerd, c.here)
				w.runs(self)
			}
			for p, h := range map[api.PeerID]http.Handler{near: c.near, far: c.far} {
				if h != nil {
					w.meshd.Connect(p, h)
					w.runs(p)
				}
			}
			method := c.method
			if method == "" {
				method = http.MethodPost
			}
			var body io.Reader
			if c.body != "" {
				body = strings.NewReader(c.body)
			}
			status, got, err := w.send(method, body)
			switch {
			case c.err != nil:
				if fmt.Sprintf("%T", err) != fmt.Sprintf("%T", c.err) {
					t.Fatalf("got %d %.100q %v, want a %T", status, got, err, c.err)
				}
			case err != nil:
				t.Fatal(err)
			case c.status != 0:
				if status != c.status {
					t.Errorf("status %d, want %d", status, c.status)
				}
			case status != http.StatusOK || got != c.want:
				t.Errorf("got %d %.100q, want %.100q", status, got, c.want)
			}
			if c.tries != 0 && len(w.tries) != c.tries {
				t.Errorf("%d tries, want %d: %+v", len(w.tries), c.tries, w.tries)
			}
			for _, h := range []http.Handler{c.here, c.near} {
				if b, ok := h.(*breaks); ok && b.runs.Load() != 1 {
					t.Errorf("what broke off ran %d times", b.runs.Load())
				}
			}
		})
	}
}

func TestRunnerdAway(t *testing.T) {
	t.Run("a peer takes over at once", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t).withMeshd()
		w.meshd.Connect(near, &runner{name: "near"})
		w.runs(self, near)
		begun := time.Now()
		_, got, err := w.send(http.MethodPost, strings.NewReader("x"))
		if took := time.Since(begun); err != nil || got != "near"+path+"x" || took > forward.Patience/2 {
			t.Errorf("got %q %v after %v", got, err, took)
		}
	})
	t.Run("it comes back", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.runs(self)
		back := time.AfterFunc(300*time.Millisecond, func() { standin.Serve(t, w.home, api.Runnerd, &runner{name: "here"}) })
		defer back.Stop()
		if _, got, err := w.send(http.MethodPost, strings.NewReader("x")); err != nil || got != "here"+path+"x" {
			t.Errorf("got %q %v", got, err)
		}
	})
	t.Run("it was killed between two requests", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.runs(self)
		for i := range 5 {
			stop := standin.Serve(t, w.home, api.Runnerd, &runner{name: fmt.Sprint(i)})
			for range 3 {
				if _, got, err := w.send(http.MethodPost, strings.NewReader("x")); err != nil || got != fmt.Sprint(i)+path+"x" {
					t.Fatalf("got %q %v", got, err)
				}
			}
			stop()
		}
	})
	t.Run("it stays away", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.runs(self)
		begun := time.Now()
		_, _, err := w.send(http.MethodPost, strings.NewReader("x"))
		var u *forward.UnavailableError
		if took := time.Since(begun); !errors.As(err, &u) || !u.Soon || !strings.Contains(err.Error(), "runnerd") || took < forward.Patience {
			t.Errorf("got %v after %v", err, took)
		}
	})
	t.Run("meshd stays away", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.runs(near, far)
		_, _, err := w.send(http.MethodPost, strings.NewReader("x"))
		var u *forward.UnavailableError
		if !errors.As(err, &u) || !u.Soon || !strings.Contains(err.Error(), "meshd") {
			t.Errorf("got %v", err)
		}
	})
}

// closedBefore is a connection that the other end has closed before the first request,
// whose body the transport reads in part.
type closedBefore struct {
	http.RoundTripper
	met atomic.Bool
}

func (c *closedBefore) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.met.Swap(true) {
		return c.RoundTripper.RoundTrip(r)
	}
	_, _ = io.CopyN(io.Discard, r.Body, 2*forward.MaxReplay) // as far as it comes
	return nil, errors.New("http: server closed idle connection")
}

// A request on a connection that was closed before is sent again, if all of it is still
// to be had, and is an error else.
func TestClosedBefore(t *testing.T) {
	for size, sent := range map[int]bool{1: true, 3 * forward.MaxReplay: false} {
		w := newWorld(t)
		w.runs(self)
		standin.Serve(t, w.home, api.Runnerd, &runner{name: "here"})
		w.sender = forward.New(&closedBefore{RoundTripper: standin.Client(t, w.home).Transport}, w.live, func(forward.Try) {})
		body := strings.Repeat("x", size)
		_, got, err := w.send(http.MethodPost, strings.NewReader(body))
		var broken *forward.InterruptedError
		if sent && (err != nil || got != "here"+path+body) || !sent && !errors.As(err, &broken) {
			t.Errorf("%d bytes: %.40q, %v", size, got, err)
		}
	}
}

func TestWaiting(t *testing.T) {
	t.Run("unknown is told at once", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		begun := time.Now()
		_, _, err := w.send(http.MethodPost, nil)
		var u *forward.UnknownError
		if !errors.As(err, &u) || !strings.Contains(err.Error(), "realm status") || time.Since(begun) > forward.Patience/2 {
			t.Errorf("got %v after %v", err, time.Since(begun))
		}
	})
	t.Run("it left lately and comes back", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t).withMeshd()
		w.meshd.Connect(near, &runner{name: "near"})
		w.runs(near)
		w.book.DeleteFact(double, near)
		w.live.Set(w.book.Table(time.Now()))
		back := time.AfterFunc(300*time.Millisecond, func() { w.runs(near) })
		defer back.Stop()
		if _, got, err := w.send(http.MethodPost, strings.NewReader("x")); err != nil || got != "near"+path+"x" {
			t.Errorf("got %q %v", got, err)
		}
	})
	t.Run("it left lately", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.runs(near)
		w.book.DeleteFact(double, near)
		w.live.Set(w.book.Table(time.Now()))
		_, _, err := w.send(http.MethodPost, nil)
		var u *forward.UnavailableError
		if !errors.As(err, &u) || !u.Soon || !strings.Contains(err.Error(), "realm peers") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("removed is told at once", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.runs(near)
		w.fact(near, api.StateRemoved, "")
		begun := time.Now()
		_, _, err := w.send(http.MethodPost, nil)
		var u *forward.UnknownError
		if !errors.As(err, &u) || time.Since(begun) > forward.Patience/2 {
			t.Errorf("got %v after %v", err, time.Since(begun))
		}
	})
	t.Run("stopped is told at once", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.fact(self, api.StateStopped, "")
		w.fact(near, api.StateFailed, "it exports nothing")
		begun := time.Now()
		_, _, err := w.send(http.MethodPost, nil)
		var u *forward.UnavailableError
		if !errors.As(err, &u) || u.Soon || time.Since(begun) > forward.Patience/2 {
			t.Fatalf("got %v after %v", err, time.Since(begun))
		}
		for _, want := range []string{"stopped on this node", "failed on member " + near.Short() + " (it exports nothing)"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in: %v", want, err)
			}
		}
	})
	t.Run("it starts meanwhile", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		standin.Serve(t, w.home, api.Runnerd, &runner{name: "here"})
		w.fact(self, api.StateCompiling, "")
		begins := time.AfterFunc(300*time.Millisecond, func() { w.runs(self) })
		defer begins.Stop()
		if _, got, err := w.send(http.MethodPost, strings.NewReader("x")); err != nil || got != "here"+path+"x" {
			t.Errorf("got %q %v", got, err)
		}
	})
	t.Run("it fails meanwhile", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.fact(self, api.StateCompiling, "")
		fails := time.AfterFunc(100*time.Millisecond, func() { w.fact(self, api.StateFailed, "bad module") })
		defer fails.Stop()
		begun := time.Now()
		_, _, err := w.send(http.MethodPost, nil)
		if err == nil || !strings.Contains(err.Error(), "bad module") || time.Since(begun) > forward.Patience {
			t.Errorf("got %v after %v", err, time.Since(begun))
		}
	})
	t.Run("it takes too long", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.fact(self, api.StateCompiling, "")
		begun := time.Now()
		_, _, err := w.send(http.MethodPost, nil)
		var u *forward.UnavailableError
		if took := time.Since(begun); !errors.As(err, &u) || !u.Soon || took < forward.Patience || took > 2*forward.Patience {
			t.Errorf("got %v after %v", err, took)
		}
	})
	t.Run("a new gateway knows nothing yet", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		standin.Serve(t, w.home, api.Runnerd, &runner{name: "here"})
		w.live.Set(&route.Table{})
		learns := time.AfterFunc(200*time.Millisecond, func() { w.runs(self) })
		defer learns.Stop()
		if _, got, err := w.send(http.MethodPost, nil); err != nil || got != "here"+path {
			t.Errorf("got %q %v", got, err)
		}
	})
	t.Run("the caller leaves", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.fact(self, api.StateCompiling, "")
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, api.PathFunction(double.Name), nil)
		begun := time.Now()
		_, err := w.sender.Send(double, req)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > forward.Patience/2 {
			t.Errorf("got %v after %v", err, time.Since(begun))
		}
	})
}

func TestBodyThatFails(t *testing.T) {
	w := newWorld(t).withMeshd()
	here := &runner{name: "here"}
	standin.Serve(t, w.home, api.Runnerd, here)
	w.meshd.Connect(near, &runner{name: "near"})
	w.runs(self, near)
	broken := errors.New("the client has gone")
	_, _, err := w.send(http.MethodPost, io.MultiReader(bytes.NewReader(make([]byte, 1000)), failing{broken}))
	var b *forward.BodyError
	if !errors.As(err, &b) || !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if n := here.runs.Load(); n != 0 || len(w.tries) != 1 {
		t.Errorf("it ran %d times in %d tries", n, len(w.tries))
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestEveryRequestRunsAtMostOnce sends from many callers while runnerd goes and
// comes, and compares what ran with what was told.
func TestEveryRequestRunsAtMostOnce(t *testing.T) {
	w := newWorld(t).withMeshd()
	var mu sync.Mutex
	ran := map[string]int{}
	count := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		mu.Lock()
		defer mu.Unlock()
		ran[string(b)]++
	})
	w.meshd.Connect(near, count)
	w.runs(self, near)
	end := time.Now().Add(1500 * time.Millisecond)
	var callers sync.WaitGroup
	var told atomic.Int32
	for c := range 8 {
		callers.Go(func() {
			for i := 0; time.Now().Before(end); i++ {
				id := fmt.Sprint(c, "-", i)
				_, _, err := w.send(http.MethodPost, strings.NewReader(id))
				var broke *forward.InterruptedError
				if err != nil && !errors.As(err, &broke) {
					t.Errorf("%s: %v", id, err)
				}
				mu.Lock()
				n := ran[id]
				mu.Unlock()
				if n > 1 || err == nil && n != 1 {
					t.Errorf("%s ran %d times (%v)", id, n, err)
				}
				told.Add(1)
			}
		})
	}
	for time.Now().Before(end) {
		stop := standin.Serve(t, w.home, api.Runnerd, count)
		time.Sleep(50 * time.Millisecond)
		stop()
	}
	callers.Wait()
	t.Logf("%d requests", told.Load())
}

// TestNoneIsLost sends what does no harm twice while runnerd is killed again and again,
// and says each time that it comes back that it has no programs yet.
func TestNoneIsLost(t *testing.T) {
	w := newWorld(t)
	w.runs(self)
	var ended atomic.Bool
	var callers sync.WaitGroup
	for c := range 8 {
		callers.Go(func() {
			for i := 0; !ended.Load(); i++ {
				id := fmt.Sprint(c, "-", i)
				method := []string{http.MethodGet, http.MethodPut}[i%2]
				if status, got, err := w.send(method, strings.NewReader(id)); err != nil || status != http.StatusOK || got != "here"+path+id {
					t.Errorf("%s %s: %d %q %v", method, id, status, got, err)
				}
			}
		})
	}
	for range 10 { // times 8 that break: what is repeated at most while there are few others
		stop := standin.Serve(t, w.home, api.Runnerd, &loading{until: time.Now().Add(30 * time.Millisecond), runner: runner{name: "here"}})
		time.Sleep(120 * time.Millisecond)
		stop()
	}
	standin.Serve(t, w.home, api.Runnerd, &runner{name: "here"})
	ended.Store(true)
	callers.Wait()
}
