package reconcile

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// roster is who is a member, and up.
type roster struct {
	began   time.Time // when everything was known for the first time; zero: it is not
	stale   bool      // up is to be made anew
	records map[api.PeerID]*record
	realm   []api.PeerID       // members but this node, by id
	up      []placement.Member // that are up, and this node, by id
	isUp    map[api.PeerID]bool
	isLive  map[api.PeerID]bool // of those that are up: their records say so
	isDown  map[api.PeerID]bool // of those that are up: they say that their runnerd is down
	unheard api.PeerID          // is up only because it may be: nothing is known of it; empty: nobody
	next    time.Time           // when somebody ceases to be up; zero: never
}

// record is what is known of another member. It outlives the member's being lost.
type record struct {
	api.PeerFact
	live  bool
	since time.Time // of its not being live, as the record says
	last  time.Time // when it was live last, if it is not now; zero: never
	epoch uint
}

func newRoster() roster {
	return roster{records: map[api.PeerID]*record{}, isUp: map[api.PeerID]bool{}, isLive: map[api.PeerID]bool{}, isDown: map[api.PeerID]bool{}}
}

// told takes note of a record.
func (m *roster) told(rec api.PeerRecord, epoch uint, now time.Time) {
	was := m.records[rec.Peer]
	is := &record{PeerFact: rec.PeerFact, live: rec.Live, since: rec.Since, epoch: epoch}
	if was != nil && !is.live {
		if is.last = was.last; was.live {
			is.last = now
		}
	}
	m.records[rec.Peer] = is
	m.stale = true
}

// lost takes note that p has no record any more.
func (m *roster) lost(p api.PeerID, now time.Time) {
	if r := m.records[p]; r != nil && r.live {
		r.live, r.last, r.since = false, now, now
		m.stale = true
	}
}

// sweep has those lost that were not told of in epoch.
func (m *roster) sweep(epoch uint, now time.Time) {
	for p, r := range m.records {
		if r.epoch != epoch {
			m.lost(p, now)
		}
	}
}

// until is when p ceases to be up, if nothing more is heard of it; live: it does not.
func (m *roster) until(p api.PeerID) (end time.Time, live bool) {
	last := m.began
	if r := m.records[p]; r != nil {
		if r.live {
			return time.Time{}, true
		}
		if r.last.After(last) {
			last = r.last
		}
	}
	return last.Add(Grace), false
}

// due reports whether up may be otherwise at now.
func (m *roster) due(now time.Time) bool {
	return m.stale || !m.next.IsZero() && !now.Before(m.next)
}

// refresh makes up anew and reports whether it has changed.
func (m *roster) refresh(cfg *Config, now time.Time) (changed bool) {
	m.stale, m.next, m.unheard = false, time.Time{}, ""
	isLive := map[api.PeerID]bool{cfg.Self: true}
	m.realm = slices.DeleteFunc(slices.Clone(cfg.Realm.Members()), func(p api.PeerID) bool { return p == cfg.Self })
	up := []placement.Member{member(cfg, api.PeerFact{Peer: cfg.Self, Roles: cfg.Roles, Capacity: cfg.Capacity})}
	for _, p := range m.realm {
		fact := api.PeerFact{Peer: p}
		if r := m.records[p]; r != nil {
			fact = r.PeerFact
		}
		end, live := m.until(p)
		switch {
		case fact.Client, !live && !now.Before(end):
			continue
		case !live && (m.next.IsZero() || end.Before(m.next)):
			m.next = end
		}
		if isLive[p] = live; m.records[p] == nil {
			m.unheard = p
		}
		up = append(up, member(cfg, fact))
	}
	slices.SortFunc(up, func(a, b placement.Member) int { return cmp.Compare(a.Peer, b.Peer) })
	if slices.EqualFunc(up, m.up, same) && maps.Equal(isLive, m.isLive) {
		return false
	}
	m.up, m.isLive = up, isLive
	clear(m.isUp)
	clear(m.isDown)
	for _, u := range up {
		m.isUp[u.Peer] = true
		m.isDown[u.Peer] = u.RunnerDown
	}
	return true
}

// member is what placement has to know of the member that says f of itself.
func member(cfg *Config, f api.PeerFact) placement.Member {
	roles, drained := cfg.Realm.Terms(f.Peer, f.Roles)
	return placement.Member{Peer: f.Peer, Roles: roles, Capacity: f.Capacity, Drained: drained, RunnerDown: f.IsDown(api.Runnerd)}
}

func same(a, b placement.Member) bool {
	return a.Peer == b.Peer && a.Capacity == b.Capacity && a.Drained == b.Drained && a.RunnerDown == b.RunnerDown && slices.Equal(a.Roles, b.Roles)
}
