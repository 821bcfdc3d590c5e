package reconcile

import (
	"context"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/wanted"
	"github.com/realm-mesh/realm/runnerd/internal/workload"
)

// Grace is how long a member counts as up that is not heard of any more, and how long
// a fact counts that is gone.
const Grace = 5 * time.Second

const (
	// burst is how long changes are collected before they are looked at.
	burst = 20 * time.Millisecond
	// slice is how many workloads are decided on without a pause for others.
	slice = 256
)

// Realm is what the signed intents say beside what is wanted; see [wanted.Book].
type Realm interface {
	Members() []api.PeerID
	Terms(p api.PeerID, own []string) (roles []string, drained bool)
	Version(ref api.Ref, seq uint64) (intent.Signed, bool)
}

// Config says what a Reconciler works with.
type Config struct {
	Self     api.PeerID
	Roles    []string // that the node's settings say
	Capacity api.Capacity
	Realm    Realm
	// Holders are the members that have a copy of a volume, by id: copies that count.
	Holders func(api.Name) []api.PeerID
	// Kept reports whether a version of a workload is on disk that goes on to run.
	Kept func(api.Ref) bool
	// Apply has a want brought about. It waits at most for ctx to end.
	Apply func(context.Context, workload.Want) error
	Now   func() time.Time
}

// Source is one of those that a Reconciler learns from.
type Source int

// The sources.
const (
	Intents Source = 1 << iota // [Reconciler.Wanted]
	Records                    // [Reconciler.Record]
	Facts                      // [Reconciler.Fact]

	allSources = Intents | Records | Facts
)

// Reconciler concludes what this node owes each workload. Its methods are safe for
// use by several goroutines, and none but [Reconciler.Run] waits for anything.
type Reconciler struct {
	mu sync.Mutex
	state
}

// state is what a Reconciler knows. Its methods expect the lock.
type state struct {
	Config
	wake    chan struct{}
	synced  Source // those that were seen whole once
	epoch   map[Source]uint
	members roster
	loads   map[api.Ref]*load
	dirty   []*load // to be decided on, each once
	fading  []fade  // facts that are gone, in the order in which they stop to count
	held    []hold  // verdicts that are not acted on yet, in the order in which they are
	replan  scope   // of which rankings are to be made anew
}

// New returns a Reconciler that knows nothing yet.
func New(cfg Config) *Reconciler {
	return &Reconciler{state: state{
		Config: cfg, wake: make(chan struct{}, 1), epoch: map[Source]uint{}, members: newRoster(), loads: map[api.Ref]*load{},
	}}
}

// Begin says that all of src, which is not Intents, is about to be told anew: what is
// not told until [Reconciler.End] is gone.
func (r *Reconciler) Begin(src Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch[src]++
}

// End says that all of src has been told.
func (r *Reconciler) End(src Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.Now()
	switch src {
	case Records:
		r.members.sweep(r.epoch[src], now)
	case Facts:
		r.sweep(now)
	case Intents, allSources:
	}
	if r.synced |= src; r.synced == allSources && r.members.began.IsZero() {
		r.members.began = now
		r.members.stale = true
	}
	r.rouse()
}

// Wanted tells what has changed of what is wanted.
func (r *Reconciler) Wanted(c wanted.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range c.Wants {
		r.want(w)
	}
	r.members.stale = r.members.stale || c.Members
	r.rouse()
}

// Held tells that other members than before may have copies of volumes.
func (r *Reconciler) Held() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.loads {
		if !l.gone() && len(l.asks.volumes) > 0 {
			r.stick(l)
		}
	}
}

// Record tells what is known of a member.
func (r *Reconciler) Record(rec api.PeerRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members.told(rec, r.epoch[Records], r.Now())
	r.rouse()
}

// RecordGone tells that nothing is known of a member any more.
func (r *Reconciler) RecordGone(p api.PeerID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members.lost(p, r.Now())
	r.rouse()
}

// Fact tells what another member says of a workload.
func (r *Reconciler) Fact(f api.WorkloadFact) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fact(f)
}

// FactGone tells that a member's fact about a workload is not there any more.
func (r *Reconciler) FactGone(ref api.Ref, p api.PeerID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.factGone(ref, p, r.Now())
}

// Own tells where this node stands with a workload.
func (r *Reconciler) Own(f api.WorkloadFact) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.own(f)
}

// rouse has Run look.
func (s *state) rouse() {
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}
