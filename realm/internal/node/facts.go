package node

import (
	"context"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// Snapshot is what a node knows at one moment, as its buckets hold it.
type Snapshot struct {
	Peers map[api.PeerID]api.PeerRecord
	Facts map[api.Ref]map[api.PeerID]api.WorkloadFact
	// By what the pin of the scope believes: what is wanted of programs now, and of nodes.
	Intents  map[api.Ref]intent.Signed
	Settings map[api.PeerID]api.NodeSettings
	// Volumes is what was decided of volumes.
	Volumes map[api.Name]api.Volume
	held    map[string]api.Holdings // what signed statements say, by their bytes
}

func newSnapshot() Snapshot {
	return Snapshot{Peers: map[api.PeerID]api.PeerRecord{}, Facts: map[api.Ref]map[api.PeerID]api.WorkloadFact{}, Intents: map[api.Ref]intent.Signed{},
		Settings: map[api.PeerID]api.NodeSettings{}, Volumes: map[api.Name]api.Volume{}, held: map[string]api.Holdings{}}
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
	Ref     *api.Ref   // facts and intents of this workload alone; nil: of all
	Intents *trust.Pin // what is wanted, too, by what this pin believes; nil: none
	// Pace is the least time between two snapshots of a watch, whatever changes; 0: each
	// change makes one.
	Pace time.Duration
}

// sources are the parts of the buckets that s is about.
func (s Scope) sources(w *watch) []source {
	facts, kinds := ">", []string{allOf(api.KindComponent), allOf(api.KindFunction)}
	if s.Ref != nil {
		facts = api.KeyIntent(*s.Ref) + ".*"
		kinds = []string{facts}
	}
	out := []source{{api.BucketPeers, ">", w.resetPeers, w.peer}, {api.BucketWorkloads, facts, w.resetFacts, w.fact}}
	if s.Intents == nil {
		return out
	}
	for _, k := range append(sayKinds(), api.KindNode, api.KindVolume) {
		kinds = append(kinds, allOf(k))
	}
	for _, pattern := range kinds {
		out = append(out, source{api.BucketIntents, pattern, func() {}, w.wanted.event})
	}
	return out
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
	w := &watch{fn: fn, synced: map[string]bool{}, Snapshot: newSnapshot()}
	if scope.Intents != nil {
		w.wanted = newWanted(*scope.Intents, n.Now, w.Snapshot)
	}
	sources := scope.sources(w)
	w.missing = len(sources)
	var tasks []func(context.Context) error
	if scope.Pace > 0 {
		w.changed = make(chan struct{}, 1)
		tasks = append(tasks, func(ctx context.Context) error { return w.pace(ctx, scope.Pace) })
	}
	for _, s := range sources {
		tasks = append(tasks, func(ctx context.Context) error { return n.follow(ctx, w, s) })
	}
	return task.Run(ctx, tasks...)
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
