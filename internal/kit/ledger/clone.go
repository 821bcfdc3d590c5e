package ledger

import (
	"maps"
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Clone is a set that holds the same, for who wants to see what an addition would come
// to: l becomes it ([Ledger.Become]), or it is forgotten. Intents themselves, which
// nobody changes, are shared.
func (l *Ledger) Clone() *Ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.state
	c.slots = make(map[Slot][]intent.Signed, len(l.slots))
	for k, v := range l.slots {
		c.slots[k] = slices.Clone(v)
	}
	c.byRef = make(map[api.Ref][]keys.Public, len(l.byRef))
	for k, v := range l.byRef {
		c.byRef[k] = slices.Clone(v)
	}
	c.bySigner = make(map[keys.Public]map[api.Ref]struct{}, len(l.bySigner))
	for k, v := range l.bySigner {
		c.bySigner[k] = maps.Clone(v)
	}
	for i, v := range l.byPart {
		c.byPart[i] = maps.Clone(v)
	}
	c.byDigest, c.shares, c.bodies = maps.Clone(l.byDigest), maps.Clone(l.shares), maps.Clone(l.bodies)
	c.path, c.retired = slices.Clone(l.path), maps.Clone(l.retired)
	c.roster.all, c.roster.assumed = maps.Clone(l.roster.all), maps.Clone(l.roster.assumed)
	c.events = nil
	return &Ledger{state: c}
}
