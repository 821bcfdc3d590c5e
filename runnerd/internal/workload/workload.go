package workload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/runnerd/internal/cgi"
	"github.com/realm-mesh/realm/runnerd/internal/function"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/sandbox"
)

// Want is what is wanted of a workload: a version, or nothing any more.
type Want struct {
	intent.Signed
	Duty api.Duty // what this node owes it
	Why  string   // for people: why it owes that
	News bool     // this node sees it for the first time, not again after a start
	Lost string   // why the version, which was wanted before, is not any more; empty: it is
	// Unfit says that this node cannot run it whatever it has room for (its target names
	// others, say). Else a refusal stands although the duty is none because of it.
	Unfit bool
	// Last is a version that others run while the wanted one does not come up: this node
	// does likewise, if it has none of its own to go on with. nil: there is none.
	Last *intent.Signed
}

// Same reports whether w and o ask for the same.
func (w Want) Same(o Want) bool {
	return w.Digest == o.Digest && w.Duty == o.Duty && w.Unfit == o.Unfit && w.Lost == o.Lost && digestOf(w.Last) == digestOf(o.Last)
}

func digestOf(s *intent.Signed) api.Digest {
	if s == nil {
		return api.Digest{}
	}
	return s.Digest
}

// nothing reports whether w asks that nothing of the workload is here.
func (w Want) nothing() bool { return w.Tombstone || w.Duty == api.DutyNone || w.Lost != "" }

// why says for people why nothing is wanted here; a tombstone speaks for itself.
func (w Want) why() string {
	switch {
	case w.Lost != "":
		return w.Lost
	case w.Tombstone:
		return ""
	}
	return w.Why
}

// Loader makes programs ready to run, and tells stage where it stands. Errors that
// waiting cannot mend are [*program.RefusedError].
type Loader interface {
	Load(ctx context.Context, p api.Program, stage func(api.State)) (*sandbox.Module, error)
}

// Facts are told where this node stands with its workloads.
type Facts interface {
	// Set replaces what was told before of the same workload. It must not block.
	// [api.StateRemoved] is the last that is heard of one for a while.
	Set(api.WorkloadFact)
}

// Env is what the workloads of a node have in common.
type Env struct {
	Self    api.PeerID
	Loader  Loader
	Facts   Facts
	Logs    func(api.Ref) *logs.Log
	Kept    *Kept
	Stands  func(intent.Signed) bool // whether a version other than the wanted one may go on to run
	Threads *sandbox.Threads
	Admit   Admission
	Restart func(api.Ref) // is told of every restart of a command
	Log     *slog.Logger
}

// Set is the workloads of a node. It is safe for use by several goroutines.
type Set struct {
	Env
	in chan Want

	mu     sync.RWMutex
	actors map[api.Ref]*actor
}

// NewSet returns an empty set.
func NewSet(env Env) *Set {
	return &Set{Env: env, in: make(chan Want), actors: map[api.Ref]*actor{}}
}

// Run looks after the workloads until ctx ends, then stops them all.
func (s *Set) Run(ctx context.Context) error {
	var g errgroup.Group
	for {
		select {
		case <-ctx.Done():
			return g.Wait()
		case w := <-s.in:
			if a := s.take(w); a != nil {
				g.Go(func() error { return a.run(ctx) })
			}
		}
	}
}

// take hands w to the actor of its workload, and returns one that is to be run.
func (s *Set) take(w Want) (begun *actor) {
	s.mu.RLock()
	a := s.actors[w.Ref]
	s.mu.RUnlock()
	if a == nil {
		a = newActor(&s.Env, w.Ref)
		if w.nothing() { // there may be thousands of these: none needs an actor for long
			a.want = w
			a.remove(w)
			return nil
		}
		s.mu.Lock()
		s.actors[w.Ref] = a
		s.mu.Unlock()
		begun = a
	}
	a.ask(w)
	return begun
}

// Apply has the set bring about w, in the place of what it was told before of that
// workload. It waits for [Set.Run], not for the workload.
func (s *Set) Apply(ctx context.Context, w Want) error {
	select {
	case s.in <- w:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// ErrUnknown says that there is no such workload on this node.
var ErrUnknown = errors.New("it is not on this node")

// NotReadyError says that a workload is on this node and does not answer.
type NotReadyError struct {
	State  api.State
	Reason string
	Tail   []string
}

func (e *NotReadyError) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("it is %s on this node", e.State)
	}
	return fmt.Sprintf("it is %s on this node: %s", e.State, e.Reason)
}

// Function returns the function of a name, to be called until release is. Errors:
// [ErrUnknown], [*NotReadyError].
func (s *Set) Function(name api.Name) (f *function.Function, release func(), err error) {
	release, err = s.hold(api.Ref{Kind: api.KindFunction, Name: name}, func(v *version) func() {
		if f = v.function; f == nil {
			return nil
		}
		return f.Hold()
	})
	return f, release, err
}

// Component returns the component of a name that answers requests. Errors:
// [ErrUnknown], [*NotReadyError], [ErrNoInterface].
func (s *Set) Component(name api.Name) (p *cgi.Program, release func(), err error) {
	release, err = s.hold(api.Ref{Kind: api.KindComponent, Name: name}, func(v *version) func() {
		if p = v.web; p == nil {
			return nil
		}
		return p.Hold()
	})
	return p, release, err
}

// ErrNoInterface says that a component answers no requests at all.
var ErrNoInterface = errors.New("it is a command and answers no requests: push it with --http cgi, if it speaks CGI")

func (s *Set) hold(ref api.Ref, take func(*version) func()) (func(), error) {
	s.mu.RLock()
	a := s.actors[ref]
	s.mu.RUnlock()
	if a == nil {
		return nil, ErrUnknown
	}
	return a.hold(take)
}

// Tail is the last log lines of a workload.
func (s *Set) Tail(ref api.Ref) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if a := s.actors[ref]; a != nil {
		return a.log.Tail()
	}
	return nil
}
