package feed

import (
	"maps"

	"github.com/realm-mesh/realm/api"
)

// tracker is what was known last of the keys of a bucket, and since a reset what is found
// there anew.
type tracker[K comparable, V any] struct {
	known map[K]V
	next  map[K]V // being collected since a reset, else nil
	begun bool    // a first whole set has been seen
}

// change is what has become of a key: old or new is nil where it was not there, or is not.
type change[K comparable, V any] struct {
	key      K
	old, new *V
}

func (t *tracker[K, V]) reset() { t.next = map[K]V{} }

// synced makes what was collected count, and calls tell for what differs; of the first set
// nothing does.
func (t *tracker[K, V]) synced(tell func(change[K, V])) {
	if t.next == nil {
		return
	}
	was := t.known
	t.known, t.next = t.next, nil
	if !t.begun {
		t.begun = true
		return
	}
	for k := range was {
		if _, is := t.known[k]; !is {
			old := was[k]
			tell(change[K, V]{key: k, old: &old})
		}
	}
	for k, v := range maps.All(t.known) {
		tell(t.change(was, k, v))
	}
}

func (*tracker[K, V]) change(was map[K]V, k K, v V) change[K, V] {
	c := change[K, V]{key: k, new: &v}
	if old, had := was[k]; had {
		c.old = &old
	}
	return c
}

func (t *tracker[K, V]) put(k K, v V, tell func(change[K, V])) {
	if t.next != nil {
		t.next[k] = v
		return
	}
	c := t.change(t.known, k, v)
	if t.known == nil {
		t.known = map[K]V{}
	}
	t.known[k] = v
	tell(c)
}

func (t *tracker[K, V]) remove(k K, tell func(change[K, V])) {
	if t.next != nil {
		delete(t.next, k)
		return
	}
	if old, had := t.known[k]; had {
		delete(t.known, k)
		tell(change[K, V]{key: k, old: &old})
	}
}

// standing is what counts of a member.
type standing struct {
	host            string
	connected, live bool
}

// ResetPeers begins a new set of members.
func (f *Feed) ResetPeers() { f.locked(f.peers.reset) }

// SyncedPeers ends the set, and tells what differs from the one before.
func (f *Feed) SyncedPeers() { f.locked(func() { f.peers.synced(f.member) }) }

// PutPeer notes what is known of a member.
func (f *Feed) PutPeer(r *api.PeerRecord) {
	f.locked(func() { f.peers.put(r.Peer, standing{r.Host, r.Connected, r.Live}, f.member) })
}

// DeletePeer notes that a member is known no more.
func (f *Feed) DeletePeer(id api.PeerID) { f.locked(func() { f.peers.remove(id, f.member) }) }

func (f *Feed) member(c change[api.PeerID, standing]) {
	n := api.MemberNotice{Peer: c.key}
	switch old, is := c.old, c.new; {
	case is == nil:
		n.Change, n.Host = api.MemberGone, old.host
	case old == nil:
		n.Change = api.MemberCame
	case old.live && !is.live:
		n.Change = api.MemberLost
	case !old.live && is.live:
		n.Change = api.MemberBack
	case !old.connected && is.connected:
		n.Change = api.MemberConnected
	case old.connected && !is.connected:
		n.Change = api.MemberDisconnected
	default:
		return
	}
	if c.new != nil {
		n.Host, n.Connected, n.Live = c.new.host, c.new.connected, c.new.live
	}
	f.tell(api.Notice{Type: api.NoticeMember, Member: &n})
}

// ResetRecords begins a new set of records of executions.
func (f *Feed) ResetRecords() { f.locked(f.execs.reset) }

// SyncedRecords ends the set, and tells what differs from the one before.
func (f *Feed) SyncedRecords() { f.locked(func() { f.execs.synced(f.exec) }) }

// PutRecord notes what a member says of an execution.
func (f *Feed) PutRecord(key string, r *api.JobRecord) {
	n := api.JobNotice{Exec: r.Exec(), Job: r.Job, To: r.State, Ready: r.Ready, Reason: r.Reason, Exit: r.Exit}
	f.locked(func() { f.execs.put(key, n, f.exec) })
}

// DeleteRecord forgets an execution, which is no news: it ended long ago.
func (f *Feed) DeleteRecord(key string) { f.locked(func() { f.execs.remove(key, f.exec) }) }

func (f *Feed) exec(c change[string, api.JobNotice]) {
	if c.new == nil || c.old != nil && c.old.To == c.new.To && c.old.Ready == c.new.Ready {
		return
	}
	n := *c.new
	if c.old != nil {
		n.From = c.old.To
	}
	f.tell(api.Notice{Type: api.NoticeJob, Job: &n})
}

func (f *Feed) locked(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}
