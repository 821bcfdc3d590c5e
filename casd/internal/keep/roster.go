package keep

import (
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
)

// roster is who is a member, as the peers bucket says. It is used under the keeper's
// lock.
type roster struct {
	patience time.Duration
	self     api.PeerID // empty: not known yet
	epoch    uint       // of the watch
	records  map[api.PeerID]*record
	early    map[api.PeerID]time.Time // who counted when this process last ran: until when they do
}

// record is what is known of a member.
type record struct {
	api.PeerRecord
	candidate
	able  bool      // it is there, and its casd is
	last  time.Time // when it was able last, where it is not now
	epoch uint
}

func newRoster(patience time.Duration) *roster {
	return &roster{patience: patience, records: map[api.PeerID]*record{}, early: map[api.PeerID]time.Time{}}
}

// remember takes members that counted when this process last ran, which ended a
// moment ago: who knows nothing of the others yet must not think that it is alone.
func (r *roster) remember(peers []api.PeerID, now time.Time) {
	for _, p := range peers {
		r.early[p] = now.Add(r.patience)
	}
}

// begin notes that the watch begins anew: what was known before may be gone.
func (r *roster) begin() { r.epoch++ }

// told takes note of a record, and reports whether it says anything new of what counts
// here.
func (r *roster) told(rec api.PeerRecord, now time.Time) (news bool) {
	is := &record{PeerRecord: rec, candidate: newCandidate(rec.Peer), able: rec.Live && !rec.IsDown(api.Casd), epoch: r.epoch}
	if rec.Self {
		is.able, r.self = true, rec.Peer // this process is here
	}
	was := r.records[rec.Peer]
	switch {
	case is.able:
	case was == nil:
		if is.last = rec.Since; !rec.Live && is.last.After(now) {
			is.last = now
		}
		if rec.Live { // since when its casd is down is not known
			is.last = now
		}
	case was.able:
		is.last = now
	default:
		is.last = was.last
	}
	r.records[rec.Peer] = is
	return was == nil || was.able != is.able || was.Client != rec.Client || was.Drained != rec.Drained || was.Full != rec.Full
}

// gone forgets who is no member any more.
func (r *roster) gone(p api.PeerID) {
	delete(r.records, p)
	delete(r.early, p)
}

// complete is called when all has been told that there is. Who was not told of is not
// there; that may be the bus that has begun anew.
func (r *roster) complete(now time.Time) {
	for _, m := range r.records {
		if m.epoch != r.epoch && m.able {
			m.able, m.last = m.Self, now // this process is here, whoever says so
		}
	}
}

// candidates are the members that can keep blobs, by id, and when that may change
// although nothing is told; zero: never.
func (r *roster) candidates(now time.Time) (out []candidate, next time.Time) {
	until := func(end time.Time) bool {
		if !now.Before(end) {
			return false
		}
		if next.IsZero() || end.Before(next) {
			next = end
		}
		return true
	}
	for p, m := range r.records {
		if m.Client || m.Drained || m.Full {
			continue
		}
		if m.able || until(m.last.Add(r.patience)) || until(r.early[p]) {
			out = append(out, m.candidate)
		}
	}
	for p, end := range r.early {
		if r.records[p] == nil && until(end) {
			out = append(out, newCandidate(p))
		}
	}
	slices.SortFunc(out, byPeer)
	return out, next
}

// sweep forgets members of whom nothing has been told since the bus began anew.
func (r *roster) sweep(now time.Time) {
	for p, m := range r.records {
		if m.epoch != r.epoch && !now.Before(m.last.Add(r.patience)) {
			r.gone(p)
		}
	}
}

// me is this node; false: not known yet.
func (r *roster) me() (*record, bool) {
	m := r.records[r.self]
	return m, m != nil
}

// others reports whether another member is there, whatever it can keep.
func (r *roster) others() bool {
	for p, m := range r.records {
		if p != r.self && m.Live && !m.Client && !m.IsDown(api.Casd) {
			return true
		}
	}
	return false
}
