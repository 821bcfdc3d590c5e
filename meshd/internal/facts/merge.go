package facts

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Errors of a batch from outside.
var (
	// ErrForeign marks a batch in which somebody speaks for somebody else.
	ErrForeign = errors.New("a member speaks for itself alone")
	// ErrStale marks a batch that is older than what is known: nobody's fault.
	ErrStale = errors.New("older than what is known")
	// ErrNoMember marks a batch of somebody that is no member, or not known as one yet.
	ErrNoMember = errors.New("its author is no member of this realm")
)

// Decode reads a batch that author has sent, at most limit bytes.
func Decode(author api.PeerID, data []byte, limit int) (*api.FactBatch, error) {
	b := new(api.FactBatch)
	if err := api.DecodeFact(data, limit, b); err != nil {
		return nil, err
	}
	return b, CheckAuthor(author, b)
}

// CheckAuthor returns an error if b is not what author may say.
func CheckAuthor(author api.PeerID, b *api.FactBatch) error {
	if b.Peer != nil && b.Peer.Peer != author {
		return fmt.Errorf("facts: %w: %s of %s", ErrForeign, author, b.Peer.Peer)
	}
	for _, w := range b.Workloads {
		if w.Peer != author {
			return fmt.Errorf("facts: %w: %s of %s", ErrForeign, author, w.Peer)
		}
	}
	if len(b.Workloads) > maxWorkloads {
		return fmt.Errorf("facts: %d workloads, at most %d", len(b.Workloads), maxWorkloads)
	}
	return nil
}

// Fresh reports whether a batch would be news, for who decides whether to pass it on.
// What no member has said is none.
func (t *Table) Fresh(author api.PeerID, b *api.FactBatch) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if author == t.self {
		return false
	}
	if m := t.others[author]; m != nil {
		return m.order.fresh(b)
	}
	_, ok := t.terms(author)
	return ok
}

// Merge takes a batch that came by gossip, or [ErrStale].
func (t *Table) Merge(author api.PeerID, b *api.FactBatch, now time.Time) error {
	return t.merge(author, b, now, false)
}

// MergeDirect takes a batch that author itself has just given when asked, or
// [ErrStale] if gossip was faster. Its clock may have gone back since it was last
// heard of, so that any other epoch counts as new.
func (t *Table) MergeDirect(author api.PeerID, b *api.FactBatch, now time.Time) error {
	return t.merge(author, b, now, true)
}

func (t *Table) merge(author api.PeerID, b *api.FactBatch, now time.Time, direct bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if author == t.self {
		return ErrStale
	}
	m, err := t.member(author, now)
	if err != nil {
		return err
	}
	restarted := direct && b.Epoch != m.order.epoch
	late := !direct && !m.connected && now.Sub(m.lost) < echo
	if !restarted && !m.order.fresh(b) || late {
		return ErrStale
	}
	m.order.take(b)
	m.refute(b)
	m.heard = now
	t.setLive(author, m, m.alive(now))
	if b.Peer != nil && b.Seq > m.order.peer {
		m.order.peer = b.Seq
		if !equalPeer(m.fact, *b.Peer) {
			m.fact = *b.Peer
			t.markPeer(author)
		}
	}
	t.mergeWorkloads(author, m, b)
	t.hear(b.Suspects, now)
	return nil
}

func (t *Table) mergeWorkloads(author api.PeerID, m *member, b *api.FactBatch) {
	if b.Full {
		said := make(map[api.Ref]struct{}, len(b.Workloads))
		for _, w := range b.Workloads {
			said[w.Ref] = struct{}{}
		}
		for r := range m.workloads {
			if _, ok := said[r]; !ok && m.order.last[r] < b.Seq {
				delete(m.workloads, r)
				t.markWorkload(r, author)
			}
		}
	}
	for _, w := range b.Workloads {
		old, known := m.workloads[w.Ref]
		if !known && len(m.workloads) >= maxWorkloads || !m.order.speaks(b, w.Ref) || known && equalFact(old, w) {
			continue
		}
		m.workloads[w.Ref] = w
		t.markWorkload(w.Ref, author)
	}
	if b.Full {
		m.order.completes(b)
	}
}

func equalPeer(a, b api.PeerFact) bool { return reflect.DeepEqual(a, b) }

// equalFact compares all fields, those included that are added one day.
func equalFact(a, b api.WorkloadFact) bool {
	if !a.Since.Equal(b.Since) {
		return false
	}
	a.Since = b.Since
	return reflect.DeepEqual(a, b)
}
