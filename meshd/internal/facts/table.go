package facts

import (
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Timing, for who runs the loops around a table.
const (
	Refresh = 20 * time.Second // everybody repeats everything that often
	Silence = 50 * time.Second // after which a member that is no neighbour is taken for dead
	Refute  = 4 * time.Second  // that a member has once a neighbour of it has lost it
	// echo is how long after a member was lost gossip about it is taken for a
	// message that was still on its way.
	echo = 10 * time.Second
)

// Caps of what other members can make this node keep.
const (
	maxMembers   = 1024
	maxWorkloads = 4096 // of one member
)

// rttStep is how much of a round-trip time must change, and rttEvery how long the
// last write must be ago, before the new one is worth a write.
const (
	rttStep  = 4 // a quarter
	rttEvery = 15 * time.Second
)

// Table is what a node knows of itself and of all other members. It is safe for
// use by several goroutines.
type Table struct {
	self  api.PeerID
	epoch int64
	terms func(api.PeerID) (Terms, bool)

	mu      sync.Mutex
	seq     uint64
	me      api.PeerFact
	since   time.Time // when this node came up
	remarks Remarks   // on this node
	drained bool      // this node is, as of the last [Table.Review]
	own     map[api.Ref]api.WorkloadFact
	pending pending
	others  map[api.PeerID]*member
	dirty   map[Key]struct{}

	neighbours int // among others, clients included

	changed, due chan struct{}
}

// pending is what has changed of this node's own facts and was not gossiped yet.
type pending struct {
	full  bool // all of it: something is gone, or somebody new listens
	peer  bool
	facts map[api.Ref]struct{}
	lost  map[api.PeerID]struct{} // who was a neighbour a moment ago
}

func newPending() pending {
	return pending{facts: map[api.Ref]struct{}{}, lost: map[api.PeerID]struct{}{}}
}

func (p *pending) any() bool { return p.full || p.peer || len(p.facts) > 0 }

// member is what is known of another member.
type member struct {
	fact      api.PeerFact // as it says
	terms     Terms
	remarks   Remarks
	connected bool
	live      bool      // as last told: see alive
	since     time.Time // of connected
	lost      time.Time // when it was a neighbour last, and is not now
	rtt       time.Duration
	rttAt     time.Time // of the last change of rtt
	order     order
	heard     time.Time // when a batch was merged last
	suspicion suspicion
	workloads map[api.Ref]api.WorkloadFact
}

// New makes the table of a node that came up now. terms is what the realm's intents
// say of a node, and false for one that is no member; it is asked with the table
// locked.
func New(me api.PeerFact, terms func(api.PeerID) (Terms, bool), now time.Time) *Table {
	t := &Table{
		self: me.Peer, epoch: now.UnixNano(), me: me, since: now, terms: terms,
		own: map[api.Ref]api.WorkloadFact{}, others: map[api.PeerID]*member{}, dirty: map[Key]struct{}{},
		pending: newPending(),
		changed: make(chan struct{}, 1), due: make(chan struct{}, 1),
	}
	t.markPeer(me.Peer)
	return t
}

// Changed receives when there is something to [Table.Take].
func (t *Table) Changed() <-chan struct{} { return t.changed }

// Due receives when there is something to gossip: [Table.Batches].
func (t *Table) Due() <-chan struct{} { return t.due }

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has not been looked at since the last time
	}
}

// Load takes members that were known before this process started, as not connected.
// Those that were lost a moment ago, or are now, are not taken for alive by what
// gossip repeats to a node that has just come up.
// Records of those that are members no more, and of clients, are to be removed.
func (t *Table) Load(records []api.PeerRecord) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range records {
		if r.Peer == t.self || t.others[r.Peer] != nil || len(t.others) >= maxMembers {
			continue
		}
		t.markPeer(r.Peer)
		terms, ok := t.terms(r.Peer)
		if !ok || terms.Client || r.Client {
			continue
		}
		m := &member{fact: r.PeerFact, terms: terms, since: r.Since, lost: r.Since, workloads: map[api.Ref]api.WorkloadFact{}}
		if r.Connected {
			m.since, m.lost = t.since, t.since
		}
		t.others[r.Peer] = m
	}
}

// member returns the entry of p, made if it is a member and there is room for one.
func (t *Table) member(p api.PeerID, now time.Time) (*member, error) {
	if m := t.others[p]; m != nil {
		return m, nil
	}
	terms, ok := t.terms(p)
	if !ok {
		return nil, fmt.Errorf("facts: %w", ErrNoMember)
	}
	if len(t.others) >= maxMembers && !t.forgetOldest() {
		return nil, fmt.Errorf("facts: %d members are known, which is all that this node keeps", maxMembers)
	}
	m := &member{fact: api.PeerFact{Peer: p}, terms: terms, since: now, workloads: map[api.Ref]api.WorkloadFact{}}
	t.others[p] = m
	t.markPeer(p)
	return m, nil
}

// forgetOldest makes room: the member that was heard of longest ago, and is not
// connected, goes.
func (t *Table) forgetOldest() bool {
	var oldest api.PeerID
	for p, m := range t.others {
		if !m.connected && (oldest == "" || m.heard.Before(t.others[oldest].heard)) {
			oldest = p
		}
	}
	if oldest == "" {
		return false
	}
	t.forget(oldest)
	return true
}

func (t *Table) forget(p api.PeerID) {
	if t.others[p].connected {
		t.neighbours--
	}
	t.dropWorkloads(p)
	delete(t.others, p)
	t.markPeer(p)
}

// Up takes note that p is a neighbour.
func (t *Table) Up(p api.PeerID, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m, err := t.member(p, now)
	if err != nil || m.connected {
		return
	}
	m.connected, m.since, m.lost, m.suspicion = true, now, time.Time{}, suspicion{}
	m.live = true
	t.markPeer(p)
	if t.neighbours++; t.neighbours == 1 {
		t.repeat() // what was gossiped before has reached nobody
	}
}

// Down takes note that p is no neighbour any more: what it ran is not known now. A
// client is forgotten, and who is no member any more.
func (t *Table) Down(p api.PeerID, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.others[p]
	if m == nil || !m.connected {
		return
	}
	if terms, ok := t.terms(p); !ok || terms.Client || m.terms.Client {
		t.forget(p)
		return
	}
	m.connected, m.since, m.lost, m.rtt = false, now, now, 0
	m.live = false
	t.neighbours--
	t.markPeer(p)
	t.dropWorkloads(p)
	t.pending.lost[p] = struct{}{}
	notify(t.due)
	if t.neighbours == 0 {
		t.suspectAll(now)
	}
}

// RTT takes note of how long a round trip to the neighbour p takes.
func (t *Table) RTT(p api.PeerID, rtt time.Duration, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.others[p]
	if m == nil || !m.connected {
		return
	}
	change := max(rtt-m.rtt, m.rtt-rtt)
	if m.rtt == 0 || change*rttStep > m.rtt && now.Sub(m.rttAt) >= rttEvery {
		m.rtt, m.rttAt = rtt, now
		t.markPeer(p)
	}
}

// Expire forgets what members that are no neighbours ran, when nothing has been
// heard of them for [Silence], or when one was lost by a neighbour and has not
// refuted it within [Refute].
func (t *Table) Expire(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p, m := range t.others {
		if !m.alive(now) {
			t.dropWorkloads(p)
			t.setLive(p, m, false)
		}
	}
}

// alive reports whether m is a neighbour, or others have passed on lately what it
// says of itself, and no loss of it stands. heard does not rise while a loss may only
// not have spread yet.
func (m *member) alive(now time.Time) bool {
	return m.connected || m.heard.After(m.lost) && now.Sub(m.heard) <= Silence && !m.suspicion.stands(now)
}

func (t *Table) setLive(p api.PeerID, m *member, live bool) {
	if m.live != live {
		m.live = live
		t.markPeer(p)
	}
}

func (t *Table) dropWorkloads(p api.PeerID) {
	for r := range t.others[p].workloads {
		t.markWorkload(r, p)
	}
	clear(t.others[p].workloads)
}

// Members are the facts of the neighbours, at most limit. Clients are nobody's to dial.
func (t *Table) Members(limit int) []api.PeerFact {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := []api.PeerFact{}
	for _, m := range t.others {
		if m.connected && !m.terms.Client && len(m.fact.Addrs) > 0 && len(out) < limit {
			out = append(out, m.terms.cut(m.fact))
		}
	}
	return out
}

// RTTs are the round-trip times of the neighbours; 0 where it is not known.
func (t *Table) RTTs() map[api.PeerID]time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make(map[api.PeerID]time.Duration, len(t.others))
	for p, m := range t.others {
		if m.connected {
			out[p] = m.rtt
		}
	}
	return out
}

// Own is a copy of what this node says of its workloads.
func (t *Table) Own() map[api.Ref]api.WorkloadFact {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.own)
}
