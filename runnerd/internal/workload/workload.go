package workload

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/runnerd/internal/admit"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// Loader makes programs ready to run, and tells stage where it stands. Errors that
// waiting cannot mend are [*program.RefusedError].
type Loader interface {
	Load(ctx context.Context, p api.Program, stage func(api.State)) (*engine.Module, error)
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
	Admit   Admission // nil: any memory, and no folders
	Folders Folders
	Secrets Secrets
	Facts   Facts
	Logs    func(api.Ref) *logs.Log
	Kept    *Kept
	Stands  func(intent.Signed) bool      // whether a version other than the wanted one may go on to run
	Restart func(api.Ref)                 // is told of every restart of a command
	Account func(api.Ref) program.Account // nil, or who is told what a workload uses
	Gone    func(api.Ref)                 // nil, or told that a workload was removed
	Log     *slog.Logger
}

// maxProbes is how many web programs are asked at once whether they are well. Each
// takes the memory of one request.
const maxProbes = 8

// refusedFor is how long a refusal stands at least: others that run the workload
// instead should not have begun in vain.
const refusedFor = time.Minute

// Set is the workloads of a node. It is safe for use by several goroutines.
type Set struct {
	Env
	in      chan Want
	probes  chan struct{}  // a place for each probe on its way
	workers sync.WaitGroup // of actors
	refused time.Duration  // how long a refusal stands at least

	mu     sync.RWMutex
	actors map[api.Ref]*actor
}

// NewSet returns an empty set.
func NewSet(env Env) *Set {
	if env.Admit == nil {
		env.Admit = admit.New(admit.Config{})
	}
	if env.Account == nil {
		env.Account = func(api.Ref) program.Account { return program.Account{} }
	}
	if env.Gone == nil {
		env.Gone = func(api.Ref) {}
	}
	return &Set{Env: env, in: make(chan Want), probes: make(chan struct{}, maxProbes), refused: refusedFor, actors: map[api.Ref]*actor{}}
}

// Run looks after the workloads until ctx ends, then stops them all.
func (s *Set) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			s.end()
			return nil
		case w := <-s.in:
			s.take(ctx, w)
		}
	}
}

// take hands w to the actor of its workload.
func (s *Set) take(life context.Context, w Want) {
	a := s.actor(w.Ref)
	if a == nil {
		a = newActor(s, w.Ref)
		if w.nothing() { // there may be thousands of these: none needs an actor for long
			a.want = w
			a.depart(w)
			return
		}
		s.mu.Lock()
		s.actors[w.Ref] = a
		s.mu.Unlock()
	}
	a.ask(life, w)
}

// actor returns the actor of a workload; nil: there is none.
func (s *Set) actor(ref api.Ref) *actor {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.actors[ref]
}

// end stops everything, all at once.
func (s *Set) end() {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, a := range s.actors {
		a.quit()
	}
	s.workers.Wait()
	var all sync.WaitGroup
	for _, a := range s.actors {
		all.Go(func() {
			a.clear()
			a.log.Close()
		})
	}
	all.Wait()
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

// Has reports whether a version of ref runs here, or was the last good one and would
// be brought back after a start.
func (s *Set) Has(ref api.Ref) bool {
	if a := s.actor(ref); a != nil && a.here() {
		return true
	}
	return s.Kept.Has(ref)
}
