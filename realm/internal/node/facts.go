package node

import (
	"context"
	"fmt"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// Snapshot is what a node knows at one moment, as its buckets hold it.
type Snapshot struct {
	Peers   map[api.PeerID]api.PeerRecord
	Facts   map[api.Ref]map[api.PeerID]api.WorkloadFact
	Intents map[api.Ref]intent.Signed // of programs: what is wanted now, by what the pin believes
}

// PeerList are the known members, in no order.
func (s Snapshot) PeerList() []api.PeerRecord {
	out := make([]api.PeerRecord, 0, len(s.Peers))
	for _, p := range s.Peers {
		out = append(out, p)
	}
	return out
}

// Scope says what of the buckets a watch is about.
type Scope struct {
	Ref     *api.Ref   // facts of this workload alone; nil: of all
	Intents *trust.Pin // what is wanted, too, by what this pin believes; nil: none
}

// Look returns one snapshot.
func (n *Node) Look(ctx context.Context, scope Scope) (Snapshot, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var out Snapshot
	seen := false
	err := n.Watch(ctx, scope, func(s Snapshot) error {
		out, seen = s, true
		cancel()
		return nil
	})
	if err == nil && !seen {
		err = fmt.Errorf("read the node's state: %w", context.Cause(ctx))
	}
	return out, err
}

// Watch calls fn with a snapshot at once and after every change, one call at a
// time, until ctx ends (nil) or fn fails (its error). fn must not keep the
// snapshot's maps. Changes that come while the bus is away are seen when it is back.
func (n *Node) Watch(ctx context.Context, scope Scope, fn func(Snapshot) error) error {
	w := &watch{fn: fn, synced: map[string]bool{}, Snapshot: Snapshot{
		Peers: map[api.PeerID]api.PeerRecord{}, Facts: map[api.Ref]map[api.PeerID]api.WorkloadFact{}, Intents: map[api.Ref]intent.Signed{}}}
	sources := []source{
		{api.BucketPeers, ">", w.resetPeers, w.peer},
		{api.BucketWorkloads, factsPattern(scope.Ref), w.resetFacts, w.fact},
	}
	if scope.Intents != nil {
		w.wanted = newWanted(*scope.Intents, n.Now, w.Intents)
		for _, k := range append(sayKinds(), api.KindComponent, api.KindFunction) {
			sources = append(sources, source{api.BucketIntents, allOf(k), func() {}, w.wanted.event})
		}
	}
	w.missing = len(sources)
	var tasks []func(context.Context) error
	for _, s := range sources {
		tasks = append(tasks, func(ctx context.Context) error { return n.follow(ctx, w, s) })
	}
	return task.Run(ctx, tasks...)
}

func factsPattern(ref *api.Ref) string {
	if ref == nil {
		return ">"
	}
	return api.KeyIntent(*ref) + ".*"
}

// source is a part of a bucket that a watch follows. reset forgets what was seen of
// it; nothing is forgotten of a set that only grows.
type source struct {
	bucket, pattern string
	reset           func()
	entry           func(bus.Event)
}

func (s source) id() string { return s.bucket + " " + s.pattern }

func (n *Node) follow(ctx context.Context, w *watch, s source) error {
	var b *bus.Bucket
	err := again(ctx, func() (err error) {
		b, err = n.bus.Bucket(ctx, s.bucket)
		return err
	})
	if ctx.Err() != nil {
		return nil //nolint:nilerr // what the end of ctx breaks off is no error
	}
	if err != nil {
		return err
	}
	return b.Watch(ctx, s.pattern, func(ev bus.Event) error { return w.event(ctx, s, ev) })
}

// watch gathers the events of several buckets into one snapshot.
type watch struct {
	mu      sync.Mutex
	synced  map[string]bool
	missing int // sources that are not synced
	fn      func(Snapshot) error
	wanted  *wanted // nil: intents are not watched
	Snapshot
}

func (w *watch) event(ctx context.Context, s source, ev bus.Event) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch ev.Kind {
	case bus.Reset:
		s.reset()
		if w.synced[s.id()] {
			w.synced[s.id()] = false
			w.missing++
		}
	case bus.Synced:
		if !w.synced[s.id()] {
			w.synced[s.id()] = true
			w.missing--
		}
	default:
		s.entry(ev)
	}
	if w.missing > 0 || ctx.Err() != nil {
		return nil
	}
	if w.wanted != nil {
		w.wanted.settle() //nolint:contextcheck // reading intents waits for nothing
	}
	return w.fn(w.Snapshot)
}

func (w *watch) resetPeers() { clear(w.Peers) }
func (w *watch) resetFacts() { clear(w.Facts) }

// peerRecord gives a record the method that [api.Decode] asks for.
type peerRecord api.PeerRecord

func (p *peerRecord) Validate() error { return p.PeerFact.Validate() }

// What cannot be read is left out: it is another version's, and the daemons log it.

func (w *watch) peer(ev bus.Event) {
	id := api.PeerID(ev.Key)
	var p peerRecord
	if ev.Kind == bus.Deleted || api.Decode(ev.Value, api.MaxMessage, &p) != nil {
		delete(w.Peers, id)
		return
	}
	w.Peers[id] = api.PeerRecord(p)
}

func (w *watch) fact(ev bus.Event) {
	ref, peer, ok := api.ParseKeyWorkload(ev.Key)
	if !ok {
		return
	}
	var f api.WorkloadFact
	if ev.Kind == bus.Deleted || api.Decode(ev.Value, api.MaxMessage, &f) != nil {
		delete(w.Facts[ref], peer)
		return
	}
	if w.Facts[ref] == nil {
		w.Facts[ref] = map[api.PeerID]api.WorkloadFact{}
	}
	w.Facts[ref][peer] = f
}
