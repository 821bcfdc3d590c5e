package wanted

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
)

// ledger is the set of intents; nil until there is a pin.
func (b *Book) ledger() *ledger.Ledger {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.set
}

// Members lists the members of the realm, as the intents say, in the order of their
// ids. This node need not be among them: nobody has said so where the owner's own
// account runs it.
func (b *Book) Members() []api.PeerID {
	set := b.ledger()
	if set == nil {
		return nil
	}
	var out []api.PeerID
	for _, m := range set.Members(b.cfg.Now()) {
		if m.Standing == api.StandingMember {
			out = append(out, m.Peer)
		}
	}
	return out
}

// Terms are the roles of the member p, which says itself that it has those of own, and
// whether the owner wants it drained.
func (b *Book) Terms(p api.PeerID, own []string) (roles []string, drained bool) {
	set := b.ledger()
	key, err := keys.OfPeer(p)
	if set == nil || err != nil {
		return own, false
	}
	now := b.cfg.Now()
	settings, _ := set.NodeSettings(key, now)
	return set.Roles(key, own, now), settings.Drain
}

// Version is the version of ref with this number, if it is held and says something.
// Of two that were signed at once it is the one that has won.
func (b *Book) Version(ref api.Ref, seq uint64) (intent.Signed, bool) {
	set := b.ledger()
	if set == nil {
		return intent.Signed{}, false
	}
	var fork intent.Signed
	for _, v := range set.History(ref, b.cfg.Now()) {
		switch {
		case v.Seq != seq || v.Tombstone:
		case v.State == api.VersionCurrent, v.State == api.VersionReplaced:
			return v.Signed, true
		case v.State == api.VersionFork:
			fork = v.Signed
		}
	}
	return fork, fork.Seq != 0
}

// Manifests are the versions of the manifests of the realm, by name.
func (b *Book) Manifests() map[api.Name]uint64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return maps.Clone(b.manifests)
}

// noteManifest remembers the version of the manifest ref.
func (b *Book) noteManifest(ref api.Ref, now time.Time) {
	var m api.Manifest
	s, ok := b.set.Current(ref, now)
	b.mu.Lock()
	defer b.mu.Unlock()
	if !ok || s.Tombstone || json.Unmarshal(s.Body, &m) != nil {
		delete(b.manifests, ref.Name)
		return
	}
	b.manifests[ref.Name] = m.Version
}
