package meshd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

// statuses reads "runnerd=failed casd=ready".
func statuses(words string) (out []api.DaemonStatus) {
	for _, w := range strings.Fields(words) {
		d, s, _ := strings.Cut(w, "=")
		out = append(out, api.DaemonStatus{Daemon: api.Daemon(d), State: api.DaemonState(s)})
	}
	return out
}

// TestSiblings looks at times, in seconds, and says who is down then; "lost" is a look
// that fails.
func TestSiblings(t *testing.T) {
	type look struct {
		at   int
		all  string
		down string
	}
	for name, looks := range map[string][]look{
		"all are well": {{0, "casd=ready meshd=ready runnerd=ready", ""}, {100, "casd=ready meshd=ready runnerd=ready", ""}},
		"a crash":      {{0, "runnerd=backoff", ""}, {1, "runnerd=starting", ""}, {2, "runnerd=ready", ""}, {60, "runnerd=ready", ""}},
		"two crashes": {{0, "runnerd=backoff", ""}, {2, "runnerd=ready", ""}, {14, "runnerd=backoff", ""}, {16, "runnerd=starting", ""},
			{18, "runnerd=ready", ""}},
		"a restart that takes its time": {{0, "runnerd=starting", ""}, {15, "runnerd=starting", ""}, {30, "runnerd=starting", ""}, {32, "runnerd=ready", ""}},
		"it does not come up":           {{0, "runnerd=starting", ""}, {30, "runnerd=starting", ""}, {39, "runnerd=starting", ""}, {40, "runnerd=starting", "runnerd"}},
		"its budget is spent":           {{0, "runnerd=backoff", ""}, {2, "runnerd=starting", ""}, {4, "runnerd=failed", ""}, {14, "runnerd=failed", ""}, {15, "runnerd=failed", "runnerd"}, {1000, "runnerd=failed", "runnerd"}},
		"it crashes all the time":       {{0, "runnerd=backoff", ""}, {14, "runnerd=starting", ""}, {16, "runnerd=starting", ""}, {18, "runnerd=backoff", "runnerd"}, {20, "runnerd=starting", "runnerd"}},
		"it comes back":                 {{0, "runnerd=stopped", ""}, {20, "runnerd=stopped", "runnerd"}, {22, "runnerd=starting", "runnerd"}, {24, "runnerd=ready", ""}, {26, "runnerd=failed", ""}, {40, "runnerd=failed", ""}, {41, "runnerd=failed", "runnerd"}},
		"several":                       {{0, "upgraded=failed casd=ready", ""}, {10, "upgraded=failed casd=failed", ""}, {15, "upgraded=failed casd=failed", "upgraded"}, {25, "upgraded=failed casd=failed", "casd upgraded"}, {26, "upgraded=ready casd=failed", "casd"}},
		"meshd speaks for itself":       {{0, "meshd=failed launcher=failed jobd=failed", ""}, {50, "meshd=failed launcher=failed jobd=failed", ""}},
		"it is not run any more":        {{0, "runnerd=failed", ""}, {20, "runnerd=failed", "runnerd"}, {22, "casd=ready", ""}},
		"nobody could be asked":         {{0, "runnerd=backoff", ""}, {10, "lost", ""}, {20, "runnerd=backoff", ""}, {34, "runnerd=backoff", ""}, {35, "runnerd=backoff", "runnerd"}, {36, "lost", "runnerd"}, {38, "runnerd=starting", "runnerd"}, {40, "runnerd=ready", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			var s siblings
			begun := time.Now()
			for _, l := range looks {
				if l.all == "lost" {
					s.lose()
				} else {
					s.look(statuses(l.all), begun.Add(time.Duration(l.at)*time.Second))
				}
				var want api.DaemonList
				for _, d := range strings.Fields(l.down) {
					want = append(want, api.Daemon(d))
				}
				if !slices.Equal(s.down, want) || (s.down == nil) != (want == nil) {
					t.Errorf("after %d s: %v are down, want %v", l.at, s.down, want)
				}
			}
		})
	}
}

// launcher answers for its daemons, and takes down what others are told of them.
type launcher struct {
	mu   sync.Mutex
	says string // "": nobody answers
	err  error
	told []string
}

func (l *launcher) ask(context.Context) (api.PSReply, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return api.PSReply{Daemons: statuses(l.says)}, l.err
}

func (l *launcher) tell(down api.DaemonList) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = append(l.told, fmt.Sprint(down))
}

// set has it answer otherwise.
func (l *launcher) set(says string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.says, l.err = says, err
}

// after returns what was told once d has passed.
func (l *launcher) after(d time.Duration) string {
	time.Sleep(d)
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.told, " ")
}

// TestWatchSiblings tells what has changed, and once.
func TestWatchSiblings(t *testing.T) {
	away := errors.New("the bus is away")
	synctest.Test(t, func(t *testing.T) {
		l := &launcher{says: "casd=ready runnerd=ready"}
		ended := make(chan error, 1)
		watch := func(ctx context.Context, was ...api.Daemon) {
			go func() { ended <- watchSiblings(ctx, was, l.ask, l.tell, slog.New(slog.DiscardHandler)) }()
		}
		ctx, cancel := context.WithCancel(t.Context())
		watch(ctx, api.Casd)
		for _, step := range []struct {
			says string
			err  error
			wait time.Duration
			told string
		}{
			{"casd=ready runnerd=ready", nil, 0, "[]"},
			{"runnerd=failed", nil, downAfter, "[]"},
			{"runnerd=failed", nil, 2 * lookEvery, "[] [runnerd]"},
			{"", away, time.Minute, "[] [runnerd]"},
			{"runnerd=failed", nil, time.Minute, "[] [runnerd]"},
			{"runnerd=ready", nil, lookEvery, "[] [runnerd] []"},
			{"runnerd=ready", nil, time.Minute, "[] [runnerd] []"},
		} {
			l.set(step.says, step.err)
			if told := l.after(step.wait); told != step.told {
				t.Errorf("%v of %q: told %s, want %s", step.wait, step.says, told, step.told)
			}
		}
		l.set("", fmt.Errorf("ask: %w", bus.ErrForbidden))
		if err := <-ended; err != nil {
			t.Errorf("without the right to ask: %v", err)
		}
		l.set("", away)
		watch(ctx)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("at its end: %v", err)
		}
	})
}

// TestDownOverARestart has meshd start again while runnerd is down: it says so at once,
// and nothing of what that has left on the bus, until runnerd is back.
func TestDownOverARestart(t *testing.T) {
	_, boxes, procs := pair(t)
	a, b := boxes[0], boxes[1]
	f := api.WorkloadFact{Ref: meshtest.Ref("web"), Peer: a.id(), Intent: api.Sum([]byte("web")), Seq: 1, State: api.StateRunning}
	key := api.KeyWorkload(f.Ref, f.Peer)
	put(t, a.bucket(t, api.BucketWorkloads), key, f)
	heard := func(v []byte) bool { return v != nil }
	b.awaitKey(t, api.BucketWorkloads, key, "it runs", heard)

	procs[0].stop(t)
	b.awaitMember(t, a.id(), false)
	peers := a.bucket(t, api.BucketPeers)
	e, err := peers.Get(testContext(t), string(a.id()))
	if err != nil {
		t.Fatal(err)
	}
	var rec api.PeerRecord
	if err := api.Decode(e.Value, api.MaxMessage, &rec); err != nil {
		t.Fatal(err)
	}
	rec.Down = api.DaemonList{api.Runnerd}
	put(t, peers, string(a.id()), rec)
	a.launcher.set("casd=ready runnerd=failed", nil)
	a.start(t)
	is := func(connected, down bool) func([]byte) bool {
		return func(v []byte) bool {
			var r api.PeerRecord
			return v != nil && api.Decode(v, api.MaxMessage, &r) == nil && r.Connected == connected && r.IsDown(api.Runnerd) == down
		}
	}
	b.awaitKey(t, api.BucketPeers, string(a.id()), "it says that runnerd is down", is(true, true))
	time.Sleep(2 * lookEvery)
	if e, err := b.bucket(t, api.BucketWorkloads).Get(testContext(t), key); !errors.Is(err, bus.ErrNotFound) {
		t.Errorf("it says of a workload: %s (%v)", e.Value, err)
	}
	a.launcher.set("casd=ready runnerd=ready", nil)
	b.awaitKey(t, api.BucketPeers, string(a.id()), "it says that runnerd is back", is(true, false))
	b.awaitKey(t, api.BucketWorkloads, key, "it runs again", heard)
}

func put(t *testing.T, b *bus.Bucket, key string, value any) {
	t.Helper()
	raw, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Put(testContext(t), key, raw); err != nil {
		t.Fatal(err)
	}
}
