package facts

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
)

// batchBytes is how many bytes of facts go into one message: what is around them
// fits into the rest of [api.MaxMessage].
const batchBytes = api.MaxMessage - 16<<10

// ChangePeer changes what this node says of itself. change gets a copy with the same
// lists, which it may replace but not write to.
func (t *Table) ChangePeer(change func(*api.PeerFact)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.me
	change(&f)
	if equalPeer(t.me, f) {
		return
	}
	if f.IsDown(api.Runnerd) != t.me.IsDown(api.Runnerd) {
		t.repeat() // what was told of workloads is taken back, or told again
	}
	t.me = f
	t.pending.peer = true
	notify(t.due)
	t.markPeer(t.self)
}

// Me is what this node says of itself.
func (t *Table) Me() api.PeerFact {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.me
}

// SetOwn takes a fact of this node; facts of others are left out.
func (t *Table) SetOwn(f api.WorkloadFact) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, known := t.own[f.Ref]; f.Peer != t.self || known && equalFact(old, f) {
		return
	}
	t.own[f.Ref] = f
	t.pending.facts[f.Ref] = struct{}{}
	notify(t.due)
}

// DropOwn takes note that this node has nothing to say of r any more.
func (t *Table) DropOwn(r api.Ref) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.own[r]; known {
		delete(t.own, r)
		delete(t.pending.facts, r)
		t.repeat()
	}
}

// ReplaceOwn makes facts all that this node says, after its source was read anew.
func (t *Table) ReplaceOwn(facts map[api.Ref]api.WorkloadFact) {
	for r := range t.Own() {
		if _, still := facts[r]; !still {
			t.DropOwn(r)
		}
	}
	for _, f := range facts {
		t.SetOwn(f)
	}
}

// Repeat makes the next batches hold everything.
func (t *Table) Repeat() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.repeat()
}

func (t *Table) repeat() {
	t.pending.full = true
	notify(t.due)
}

// Full is everything that this node has to say, for who asks point to point.
func (t *Table) Full() api.FactBatch {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.full(t.sorted(nil))
}

func (t *Table) full(facts []api.WorkloadFact) api.FactBatch {
	me := t.me
	t.seq++
	return api.FactBatch{Epoch: t.epoch, Seq: t.seq, Peer: &me, Workloads: facts, Full: true}
}

// sorted returns the facts of the given refs, or all for nil, in the order of names. While
// runnerd is down there are none: what it said last is not so any more.
func (t *Table) sorted(only map[api.Ref]struct{}) []api.WorkloadFact {
	out := []api.WorkloadFact{}
	if t.me.IsDown(api.Runnerd) {
		return out
	}
	for r, f := range t.own {
		if _, ok := only[r]; ok || only == nil {
			out = append(out, f)
		}
	}
	slices.SortFunc(out, func(a, b api.WorkloadFact) int {
		return strings.Compare(api.KeyIntent(a.Ref), api.KeyIntent(b.Ref))
	})
	return out
}

// Batches takes what is to be gossiped now, as encoded messages of at most
// [api.MaxMessage] bytes. When everything is due and does not fit into one
// message, it is sent in parts: those tell nobody what is gone, which who asks
// point to point learns.
func (t *Table) Batches() ([][]byte, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.pending
	t.pending = newPending()
	if s := t.suspects(p.lost); len(s) > 0 {
		said, err := t.encode(api.FactBatch{Suspects: s})
		if err != nil {
			return nil, err
		}
		facts, err := t.batches(p)
		return append([][]byte{said}, facts...), err
	}
	return t.batches(p)
}

func (t *Table) batches(p pending) ([][]byte, error) {
	if !p.any() {
		return nil, nil
	}
	if !p.full {
		changed := t.sorted(p.facts)
		if len(changed) == 0 && !p.peer {
			return nil, nil
		}
		return t.parts(changed, p.peer)
	}
	all := t.sorted(nil)
	whole, err := json.Marshal(t.full(all))
	if err != nil {
		return nil, fmt.Errorf("encode facts: %w", err)
	}
	if len(whole) <= api.MaxMessage {
		return [][]byte{whole}, nil
	}
	return t.parts(all, true)
}

func (t *Table) parts(facts []api.WorkloadFact, withPeer bool) ([][]byte, error) {
	var out [][]byte
	for first := true; first || len(facts) > 0; first = false {
		var b api.FactBatch
		room := batchBytes
		if first && withPeer {
			me := t.me
			raw, err := json.Marshal(me)
			if err != nil {
				return nil, fmt.Errorf("encode facts: %w", err)
			}
			b.Peer, room = &me, room-len(raw)
		}
		n, err := fit(facts, room)
		if err != nil {
			return nil, err
		}
		if n == 0 && b.Peer == nil {
			n = 1 // never: a fact is much smaller than a message
		}
		b.Workloads = facts[:n]
		raw, err := t.encode(b)
		if err != nil {
			return nil, err
		}
		out, facts = append(out, raw), facts[n:]
	}
	return out, nil
}

// encode gives b its place in the order of this node's batches.
func (t *Table) encode(b api.FactBatch) ([]byte, error) {
	t.seq++
	b.Epoch, b.Seq = t.epoch, t.seq
	raw, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("encode facts: %w", err)
	}
	return raw, nil
}

// fit is how many of facts go into so many bytes.
func fit(facts []api.WorkloadFact, room int) (int, error) {
	size := 0
	for i, f := range facts[:min(len(facts), api.MaxFacts)] {
		raw, err := json.Marshal(f)
		if err != nil {
			return 0, fmt.Errorf("encode facts: %w", err)
		}
		if size += len(raw) + 1; size > room {
			return i, nil
		}
	}
	return min(len(facts), api.MaxFacts), nil
}
