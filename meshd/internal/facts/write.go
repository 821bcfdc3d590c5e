package facts

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/realm-mesh/realm/api"
)

// Key is a place in one of the node's buckets.
type Key struct {
	Bucket string // [api.BucketPeers] or [api.BucketWorkloads]
	Key    string
}

// Write is what should stand at a Key.
type Write struct {
	Key
	Value []byte // nil: nothing
}

func (t *Table) mark(k Key) {
	t.dirty[k] = struct{}{}
	notify(t.changed)
}

func (t *Table) markPeer(p api.PeerID) { t.mark(Key{api.BucketPeers, string(p)}) }

func (t *Table) markWorkload(r api.Ref, p api.PeerID) {
	t.mark(Key{api.BucketWorkloads, api.KeyWorkload(r, p)})
}

// Mark has keys written again, such as those whose write has failed.
func (t *Table) Mark(keys ...Key) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range keys {
		t.mark(k)
	}
}

// MarkAll has everything written again.
func (t *Table) MarkAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.markPeer(t.self)
	for p, m := range t.others {
		t.markPeer(p)
		for r := range m.workloads {
			t.markWorkload(r, p)
		}
	}
}

// Take returns what is to be written now: peers before their workloads.
func (t *Table) Take() ([]Write, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Write, 0, len(t.dirty))
	for k := range t.dirty {
		v, err := t.value(k)
		if err != nil {
			return nil, fmt.Errorf("encode %s/%s: %w", k.Bucket, k.Key, err)
		}
		out = append(out, Write{k, v})
	}
	clear(t.dirty)
	slices.SortFunc(out, func(a, b Write) int {
		return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.Key.Key, b.Key.Key))
	})
	return out, nil
}

func (t *Table) value(k Key) ([]byte, error) {
	if k.Bucket == api.BucketPeers {
		return t.peerValue(api.PeerID(k.Key))
	}
	ref, p, ok := api.ParseKeyWorkload(k.Key)
	m := t.others[p]
	if !ok || m == nil {
		return nil, nil
	}
	f, ok := m.workloads[ref]
	if !ok {
		return nil, nil
	}
	return json.Marshal(f)
}

func (t *Table) peerValue(p api.PeerID) ([]byte, error) {
	if p == t.self {
		r := api.PeerRecord{PeerFact: t.me, Self: true, Connected: true, Live: true, Since: t.since.UTC(), Drained: t.drained}
		t.remarks.put(&r)
		return json.Marshal(r)
	}
	m := t.others[p]
	if m == nil {
		return nil, nil
	}
	r := api.PeerRecord{PeerFact: m.terms.cut(m.fact), Connected: m.connected, Live: m.live, RTT: api.Duration(m.rtt), Since: m.since.UTC(), Drained: m.terms.Drained}
	m.remarks.put(&r)
	return json.Marshal(r)
}
