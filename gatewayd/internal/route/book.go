package route

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Book collects what the bus tells and binds it into Tables. It is safe for use
// by several goroutines.
//
// Both of its sources may begin anew (Reset…) when the bus was away. Until the
// whole of the new state has been seen (Synced…) the old one goes on to count.
type Book struct {
	self api.PeerID

	mu        sync.Mutex
	facts     facts
	nextFacts facts // being collected since a reset, else nil
	haveFacts bool
	peers     peers
	nextPeers peers
	havePeers bool
	execs     executions
	nextExecs executions
	haveExecs bool
	services  facts // by execs
	bound     *Table
	stale     map[api.Ref]bool // changed since bound
	removed   map[api.Ref]bool // by the owner, since bound
}

type (
	facts map[api.Ref]map[api.PeerID]Replica
	peers map[api.PeerID]api.PeerRecord
)

// NewBook returns an empty book of the node self.
func NewBook(self api.PeerID) *Book {
	return &Book{self: self, facts: facts{}, peers: peers{}, execs: executions{}, bound: &Table{self: self},
		stale: map[api.Ref]bool{}, removed: map[api.Ref]bool{}}
}

// ResetFacts begins a new set of facts.
func (b *Book) ResetFacts() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nextFacts = facts{}
}

// SyncedFacts makes the set that was collected since [Book.ResetFacts] count.
func (b *Book) SyncedFacts() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.nextFacts == nil {
		return
	}
	for _, set := range []facts{b.facts, b.nextFacts} {
		for r := range set {
			b.stale[r] = true
		}
	}
	b.facts, b.nextFacts, b.haveFacts = b.nextFacts, nil, true
}

// PutFact notes how a member stands with a workload. A workload of which nothing
// is left there is none.
func (b *Book) PutFact(f api.WorkloadFact) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if f.State == api.StateRemoved {
		b.removed[f.Ref] = true
		b.delete(f.Ref, f.Peer)
		return
	}
	set := b.collecting()
	if set[f.Ref] == nil {
		set[f.Ref] = map[api.PeerID]Replica{}
	}
	set[f.Ref][f.Peer] = Replica{Peer: f.Peer, State: f.State, Reason: f.Reason, Answers: f.Answers()}
	b.stale[f.Ref] = true
}

// DeleteFact forgets how a member stands with a workload.
func (b *Book) DeleteFact(r api.Ref, p api.PeerID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.delete(r, p)
}

func (b *Book) delete(r api.Ref, p api.PeerID) {
	set := b.collecting()
	delete(set[r], p)
	if len(set[r]) == 0 {
		delete(set, r)
	}
	b.stale[r] = true
}

// collecting is the set that changes go to.
func (b *Book) collecting() facts {
	if b.nextFacts != nil {
		return b.nextFacts
	}
	return b.facts
}

// ResetPeers begins a new set of peers.
func (b *Book) ResetPeers() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nextPeers = peers{}
}

// SyncedPeers makes the set that was collected since [Book.ResetPeers] count.
func (b *Book) SyncedPeers() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.nextPeers != nil {
		b.peers, b.nextPeers, b.havePeers = b.nextPeers, nil, true
	}
}

// PutPeer notes what is known of a member.
func (b *Book) PutPeer(r api.PeerRecord) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.nextPeers != nil {
		b.nextPeers[r.Peer] = r
		return
	}
	b.peers[r.Peer] = r
}

// DeletePeer forgets a member.
func (b *Book) DeletePeer(p api.PeerID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.nextPeers, p)
	if b.nextPeers == nil {
		delete(b.peers, p)
	}
}

// Table binds all that counts now. Lists of workloads that have not changed are
// shared with the table before.
func (b *Book) Table(now time.Time) *Table {
	b.mu.Lock()
	defer b.mu.Unlock()
	t := &Table{self: b.self, known: b.haveFacts && b.havePeers && b.haveExecs, rtts: b.connected(), members: b.members(), refs: map[api.Ref][]Replica{}, left: map[api.Ref]time.Time{}}
	maps.Copy(t.refs, b.bound.refs)
	for r := range b.bound.left {
		if b.bound.LeftLately(r, now) && !b.removed[r] {
			t.left[r] = b.bound.left[r]
		}
	}
	for r := range b.stale {
		of := b.facts[r]
		if r.Kind == api.KindJob {
			of = b.services[r]
		}
		if len(of) > 0 {
			t.refs[r] = slices.SortedFunc(maps.Values(of), func(x, y Replica) int { return cmp.Compare(x.Peer, y.Peer) })
			delete(t.left, r)
			continue
		}
		if _, was := t.refs[r]; was && !b.removed[r] {
			t.left[r] = now
		}
		delete(t.refs, r)
	}
	t.services = named(t.refs)
	clear(b.stale)
	clear(b.removed)
	b.bound = t
	return t
}

// members is how all members stand, by id.
func (b *Book) members() []api.PeerStatus {
	out := make([]api.PeerStatus, 0, len(b.peers))
	for _, p := range b.peers {
		out = append(out, p.Status())
	}
	slices.SortFunc(out, func(x, y api.PeerStatus) int { return cmp.Compare(x.Peer, y.Peer) })
	return out
}

// connected are the members that requests may go to. What a client says that it runs
// does not count: it is there to ask, not to answer. Nor do members whose runnerd is down.
func (b *Book) connected() map[api.PeerID]time.Duration {
	out := make(map[api.PeerID]time.Duration, len(b.peers))
	for id, p := range b.peers {
		if p.Connected && !p.Client && !p.Self && id != b.self && !slices.Contains(p.Down, api.Runnerd) {
			out[id] = cmp.Or(time.Duration(p.RTT), unknownRTT)
		}
	}
	return out
}
