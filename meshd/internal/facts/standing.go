package facts

import (
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Terms are what the realm's intents say of a member. They hold over what it says of
// itself.
type Terms struct {
	Roles  []string // that it has, and no others; nil: those that it says
	Client bool     // a command line without a node
	// Drained: the owner wants it to run, and to keep, nothing that others can.
	Drained bool
}

func (t Terms) equal(o Terms) bool {
	return t.Client == o.Client && t.Drained == o.Drained && (t.Roles == nil) == (o.Roles == nil) && slices.Equal(t.Roles, o.Roles)
}

// cut is f under t.
func (t Terms) cut(f api.PeerFact) api.PeerFact {
	if t.Roles != nil {
		f.Roles = t.Roles
	}
	f.Client = f.Client || t.Client
	return f
}

// Review asks for everybody's terms anew, after they may have changed. Who is no
// member any more is forgotten, with all that it has said.
func (t *Table) Review() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p, m := range t.others {
		terms, ok := t.terms(p)
		switch {
		case !ok:
			t.forget(p)
		case !terms.equal(m.terms):
			m.terms = terms
			t.markPeer(p)
		}
	}
	if own, _ := t.terms(t.self); own.Drained != t.drained {
		t.drained = own.Drained
		t.markPeer(t.self)
	}
}

// MuchSkew is how far clocks may differ before it is worth a remark.
const MuchSkew = 2 * time.Minute

// Remarks are what this node has found out about a member, as people should know.
type Remarks struct {
	Conflict []string      // see [api.PeerRecord]
	Conduct  string        // see [api.PeerRecord]
	Skew     time.Duration // the member's clock minus ours
}

func (r Remarks) equal(o Remarks) bool {
	return slices.Equal(r.Conflict, o.Conflict) && r.Conduct == o.Conduct && r.skew() == o.skew()
}

// skew is Skew as it is shown: clocks are never quite equal.
func (r Remarks) skew() time.Duration {
	if r.Skew.Abs() <= MuchSkew {
		return 0
	}
	return r.Skew.Round(10 * time.Second)
}

func (r Remarks) put(to *api.PeerRecord) {
	to.Conflict, to.Conduct, to.Skew = r.Conflict, r.Conduct, api.Duration(r.skew())
}

// Remark changes the remarks on a member, or on this node itself. Nothing is kept of
// those that the table does not hold.
func (t *Table) Remark(p api.PeerID, change func(*Remarks)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &t.remarks
	if p != t.self {
		m := t.others[p]
		if m == nil {
			return
		}
		r = &m.remarks
	}
	before := *r
	if change(r); !before.equal(*r) {
		t.markPeer(p)
	}
}

// Ahead is how far this node's clock is ahead of those of its neighbours: the median
// over n of them that are known.
func (t *Table) Ahead() (d time.Duration, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var skews []time.Duration
	for _, m := range t.others {
		if m.connected && !m.terms.Client && m.remarks.Skew != 0 { // it is not known
			skews = append(skews, m.remarks.Skew)
		}
	}
	if len(skews) == 0 {
		return 0, 0
	}
	slices.Sort(skews)
	return -skews[len(skews)/2], len(skews)
}

// Neighbours is how many members are connected, clients left out.
func (t *Table) Neighbours() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, m := range t.others {
		if m.connected && !m.terms.Client {
			n++
		}
	}
	return n
}
