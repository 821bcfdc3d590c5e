package workload

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
)

// watched is a command whose reports are kept. end says how run n (from 0) goes.
type watched struct {
	command
	reports  []status
	at       []time.Time
	starts   []time.Time
	restarts int
}

func newWatched(end func(ctx context.Context, run int) error) *watched {
	w := &watched{}
	w.command = command{
		start: func(ctx context.Context) error {
			w.starts = append(w.starts, time.Now())
			return end(ctx, len(w.starts)-1)
		},
		tail:    func() []string { return []string{"last words"} },
		report:  func(s status) { w.reports, w.at = append(w.reports, s), append(w.at, time.Now()) },
		restart: func() { w.restarts++ },
		alive:   api.DefaultAlive,
	}
	return w
}

func (w *watched) states() string {
	var out []string
	for _, r := range w.reports {
		out = append(out, string(r.state))
	}
	return strings.Join(out, " ")
}

func block(ctx context.Context) error { <-ctx.Done(); return context.Cause(ctx) }

func TestCommandStates(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(ctx context.Context, run int) error
		want string
	}{
		"runs on":          {func(ctx context.Context, _ int) error { return block(ctx) }, "starting running"},
		"ends well":        {func(context.Context, int) error { return nil }, "starting exited"},
		"ends well, later": {func(context.Context, int) error { time.Sleep(time.Second); return nil }, "starting running exited"},
		"fails at once, then late": {func(ctx context.Context, run int) error {
			if run == 2 {
				return block(ctx)
			}
			time.Sleep(time.Duration(run) * 2 * api.DefaultAlive)
			return errors.New("oh no")
		}, "starting backoff starting backoff starting running"},
		"fails once": {func(ctx context.Context, run int) error {
			if run == 0 {
				return errors.New("exit code 1")
			}
			return block(ctx)
		}, "starting backoff starting running"},
		"cannot be stopped": {func(context.Context, int) error { return engine.ErrRunaway }, "starting failed"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWatched(c.end)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				w.run(ctx)
				if got := w.states(); got != c.want {
					t.Errorf("got %s", got)
				}
			})
		})
	}
}

func TestPausesGrowAndAreCapped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(func(context.Context, int) error { return errors.New("exit code 1") })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		w.run(ctx)
		if len(w.starts) < 25 || len(w.starts) > 60 {
			t.Errorf("%d starts in ten minutes", len(w.starts))
		}
		want := firstPause
		for i := 1; i < len(w.starts); i++ {
			pause := w.starts[i].Sub(w.starts[i-1])
			if low, high := want/2, min(want*3/2, maxPause); pause < low || pause > high+time.Millisecond {
				t.Errorf("pause %d was %s, want %s to %s", i, pause, low, high)
			}
			want = min(2*want, maxPause)
		}
		if last := w.reports[len(w.reports)-1]; last.restarts != len(w.starts)-1 || w.restarts != last.restarts {
			t.Errorf("%d restarts counted and %d told, after %d starts", last.restarts, w.restarts, len(w.starts))
		}
	})
}

func TestBackoffSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(func(context.Context, int) error { return &engine.ExitError{Code: 3} })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		w.run(ctx)
		r := w.reports[1]
		if r.state != api.StateBackoff || !strings.HasPrefix(r.reason, "exit code 3; started again after ") || !slices.Equal(r.tail, []string{"last words"}) {
			t.Errorf("%+v", r)
		}
	})
}

func TestLongRunForgivesFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fails = 8
		w := newWatched(func(ctx context.Context, run int) error {
			switch {
			case run < fails:
				return errors.New("early")
			case run == fails:
				time.Sleep(2 * steadyTime)
				return errors.New("late")
			}
			return block(ctx)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		w.run(ctx)
		pause := w.starts[fails+1].Sub(w.starts[fails]) - 2*steadyTime
		if pause > firstPause*3/2 {
			t.Errorf("the pause after a long run is %s", pause)
		}
	})
}

func TestCommandDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(func(ctx context.Context, _ int) error { return block(ctx) })
		w.deadline = 2 * time.Second
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second+50*time.Millisecond)
		defer cancel()
		w.run(ctx)
		if got := w.states(); got != "starting running backoff" {
			t.Fatal(got)
		}
		if r := w.reports[2]; !strings.HasPrefix(r.reason, "deadline of 2000 ms passed") {
			t.Error(r.reason)
		}
	})
}

func TestStopDuringPauseIsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(func(context.Context, int) error { return errors.New("exit code 1") })
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		w.run(ctx)
		begun := time.Now()
		if late := begun.Sub(w.at[0]); late != 90*time.Second {
			t.Error(fmt.Sprint("stopped after ", late))
		}
	})
}
