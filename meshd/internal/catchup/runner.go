package catchup

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// Interval is how often a node asks one of its neighbours without any occasion,
// give or take a quarter.
const Interval = 30 * time.Second

const (
	roundTimeout = 2 * time.Minute
	retryFirst   = 250 * time.Millisecond // after a round that failed with a member that is there
	retries      = 4                      // of one occasion; after them the next interval has to do
	soon         = time.Second            // occasions that come that close are one
	stirred      = 3 * time.Second        // after gossip, give or take a third: it has come through, or not
	allEvery     = 10 * time.Second       // at most so often all are asked
	rest         = 30 * time.Second       // of a member that says it is asked too often
	maxDue       = 1024
	workers      = 4 // members that are asked at the same time
)

// anybody is due like a peer, and stands for one that is taken at random.
const anybody peer.ID = ""

// Config says whom to ask.
type Config struct {
	Client     *Client
	Neighbours func() []peer.ID // who can be asked
	First      *First           // nil: the node has been brought up to date before
	Done       func(p peer.ID, news int, err error)
	Interval   time.Duration // 0: [Interval]
	Log        *slog.Logger
}

// Runner decides whom to ask when.
type Runner struct {
	cfg  Config
	hold *hold

	mu      sync.Mutex
	due     map[peer.ID]occasion
	resting map[peer.ID]time.Time // until when
	tries   map[peer.ID]int       // that have failed since the last success
	running map[peer.ID]struct{}
	allAt   time.Time // when all were asked last
	wake    chan struct{}
}

// occasion is a reason to ask somebody.
type occasion struct {
	at   time.Time
	full bool // for facts and members, too; else for intents alone
}

// NewRunner makes a Runner.
func NewRunner(cfg Config) *Runner {
	if cfg.Interval == 0 {
		cfg.Interval = Interval
	}
	r := &Runner{cfg: cfg, due: map[peer.ID]occasion{}, resting: map[peer.ID]time.Time{}, tries: map[peer.ID]int{}, running: map[peer.ID]struct{}{},
		wake: make(chan struct{}, 1)}
	if cfg.First != nil {
		r.hold = newHold(cfg.Client, *cfg.First)
	}
	return r
}

// Ask has p asked for everything as soon as possible. None of the methods that ask
// blocks.
func (r *Runner) Ask(p peer.ID) { r.at(p, time.Now(), true) }

// Soon has p asked for intents in a moment: it seems to have one that this node has not.
func (r *Runner) Soon(p peer.ID) { r.at(p, time.Now().Add(soon/2+rand.N(soon/2)), false) }

// Stir has somebody asked for intents when what gossip brings now should have come.
func (r *Runner) Stir() {
	r.at(anybody, time.Now().Add(stirred*2/3+rand.N(stirred*2/3)), false)
}

// AskAll has all neighbours asked soon, unless that was done a moment ago.
func (r *Runner) AskAll() {
	now := time.Now()
	r.mu.Lock()
	again := now.Sub(r.allAt) < allEvery
	if !again {
		r.allAt = now
	}
	r.mu.Unlock()
	if again {
		return
	}
	for _, p := range r.cfg.Neighbours() {
		r.Soon(p)
	}
}

// Holding reports whether the node has still to be brought up to date for the first
// time. What gossip brings until then is not for it: it could not tell old from new.
func (r *Runner) Holding() bool { return r.hold.active() }

// at has p asked at t, if it is not due sooner.
func (r *Runner) at(p peer.ID, t time.Time, full bool) {
	r.mu.Lock()
	o, ok := r.due[p]
	if !ok && len(r.due) >= maxDue {
		r.mu.Unlock()
		return // so many at once: the interval has to do
	}
	if until := r.resting[p]; t.Before(until) {
		t = until
	}
	if !ok || t.Before(o.at) {
		o.at = t
	}
	o.full = o.full || full
	r.due[p] = o
	r.mu.Unlock()
	r.poke()
}

func (r *Runner) poke() {
	select {
	case r.wake <- struct{}{}:
	default: // it has not looked since the last time
	}
}

// Run asks until ctx ends.
func (r *Runner) Run(ctx context.Context) error {
	r.at(anybody, time.Now().Add(r.interval()), true)
	var fns []func(context.Context) error
	for range workers {
		fns = append(fns, r.work)
	}
	if r.hold != nil {
		fns = append(fns, func(ctx context.Context) error { return r.hold.run(ctx, r.AskAll) })
	}
	return task.Run(ctx, fns...)
}

func (r *Runner) interval() time.Duration { return r.cfg.Interval*3/4 + rand.N(r.cfg.Interval/2) }

// work asks who is due, one after the other.
func (r *Runner) work(ctx context.Context) error {
	for {
		p, full, wait := r.take(time.Now())
		if p != anybody {
			r.poke() // somebody else may be due, too
			r.finish(ctx, p, full, r.round(ctx, p, full))
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.wake:
		case <-time.After(wait):
		}
	}
}

// take picks who is due and is not being asked, or says how long nobody will be.
func (r *Runner) take(now time.Time) (p peer.ID, full bool, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if o := r.due[anybody]; !o.at.After(now) {
		r.due[anybody] = occasion{now.Add(r.interval()), true}
		if all := r.cfg.Neighbours(); len(all) > 0 {
			one := all[rand.IntN(len(all))]
			r.due[one] = occasion{now, o.full || r.due[one].full}
		}
	}
	wait = r.cfg.Interval
	for q, o := range r.due {
		if _, busy := r.running[q]; busy {
			continue
		}
		if q != anybody && !o.at.After(now) {
			delete(r.due, q)
			r.running[q] = struct{}{}
			return q, o.full, 0
		}
		wait = min(wait, max(o.at.Sub(now), 0))
	}
	return anybody, false, wait
}

// finish has p asked again a few times when that has failed.
func (r *Runner) finish(ctx context.Context, p peer.ID, full bool, err error) {
	again := err != nil && ctx.Err() == nil && !errors.Is(err, errGarbage) && !errors.Is(err, errUnkept) && slices.Contains(r.cfg.Neighbours(), p)
	if err != nil {
		r.cfg.Log.Debug("sync", telemetry.KeyPeer, p, telemetry.Error(err))
	}
	r.mu.Lock()
	delete(r.running, p)
	delete(r.resting, p)
	if tooOften(err) {
		r.resting[p] = time.Now().Add(rest)
	}
	n := r.tries[p]
	if again && n < retries {
		r.tries[p] = n + 1
	} else {
		delete(r.tries, p)
		again = false
	}
	r.mu.Unlock()
	if again {
		r.at(p, time.Now().Add(retryFirst<<n), full)
	}
}

// tooOften reports whether err is what a member says that is asked too often.
func tooOften(err error) bool {
	var s *local.StatusError
	return errors.As(err, &s) && s.Status == http.StatusTooManyRequests
}

// Round asks p for everything once.
func (r *Runner) Round(ctx context.Context, p peer.ID) error { return r.round(ctx, p, true) }

func (r *Runner) round(ctx context.Context, p peer.ID, full bool) error {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	// Intents first: programs wait for them. A failure of one kind says nothing
	// about the others.
	news, err := r.intents(ctx, p)
	if full && !tooOften(err) {
		err = errors.Join(err, r.cfg.Client.Facts(ctx, p), r.cfg.Client.Peers(ctx, p), r.cfg.Client.more(ctx, p))
	}
	if r.hold != nil {
		r.hold.answered()
	}
	r.cfg.Done(p, news, err)
	return err
}

func (r *Runner) intents(ctx context.Context, p peer.ID) (news int, err error) {
	if r.hold.active() {
		return 0, r.hold.ask(ctx, p)
	}
	return r.cfg.Client.Intents(ctx, p)
}
