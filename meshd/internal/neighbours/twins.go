package neighbours

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// forgetLife is how long after its last sign of life a run of a node is forgotten.
const forgetLife = time.Minute

// twins finds out that the key of a member is used by several nodes: by runs of it
// (p2p.Instance) that live at the same time. A node that was restarted has a new run
// as well, but its old one shows no life after that. Connections tell nothing, since
// those to a run that was killed stay for seconds, and two nodes with one key may
// take turns in being connected.
type twins struct {
	mu   sync.Mutex
	runs map[peer.ID]map[p2p.InstanceID]life
}

// life is the time over which a run is known to have lived.
type life struct {
	first, last time.Time
	addr        string // where it was then
}

func newTwins() *twins { return &twins{runs: map[peer.ID]map[p2p.InstanceID]life{}} }

// alive takes note that the run of p at the other end of c lived at that time.
func (t *twins) alive(h Host, c network.Conn, at time.Time) {
	p := c.RemotePeer()
	for _, run := range h.Instances(p) {
		if slices.Contains(run.Conns, c) {
			t.note(p, run.ID, c.RemoteMultiaddr().String(), at)
			return
		}
	}
}

func (t *twins) note(p peer.ID, run p2p.InstanceID, addr string, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.runs[p] == nil {
		t.runs[p] = map[p2p.InstanceID]life{}
	}
	l, known := t.runs[p][run]
	if !known || at.Before(l.first) {
		l.first = at
	}
	if at.After(l.last) {
		l.last, l.addr = at, addr
	}
	t.runs[p][run] = l
}

// conflicts lists, for each peer with several runs that have lived side by side for
// longer than [Timeout], where they were.
func (t *twins) conflicts(now time.Time) map[peer.ID][]string {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[peer.ID][]string{}
	for p, runs := range t.runs {
		for id, l := range runs {
			if now.Sub(l.last) > forgetLife {
				delete(runs, id)
			}
		}
		if len(runs) == 0 {
			delete(t.runs, p)
		}
		if addrs := overlapping(runs); len(addrs) > 1 {
			out[p] = addrs
		}
	}
	return out
}

// overlapping are the addresses of runs that share their time with another.
func overlapping(runs map[p2p.InstanceID]life) (addrs []string) {
	for a, la := range runs {
		for b, lb := range runs {
			if a != b && earlier(la.last, lb.last).Sub(later(la.first, lb.first)) > Timeout {
				addrs = append(addrs, la.addr)
				break
			}
		}
	}
	slices.SortFunc(addrs, strings.Compare)
	return addrs
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
