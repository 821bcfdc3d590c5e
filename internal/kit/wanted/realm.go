package wanted

import (
	"encoding/json"
	"maps"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
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

// Volume is what was decided of a volume's copies, and the number of the intent that says
// so; 0 where there is none.
func (b *Book) Volume(n api.Name) (v api.Volume, seq uint64) {
	set := b.ledger()
	if set == nil {
		return v, 0
	}
	s, ok := set.Current(api.Ref{Kind: api.KindVolume, Name: n}, b.cfg.Now())
	if !ok || s.Tombstone || json.Unmarshal(s.Body, &v) != nil || v.Validate() != nil {
		return api.Volume{}, 0 // a newer version has said it in other words
	}
	return v, s.Seq
}

// Volumes are the names of those that something was decided of.
func (b *Book) Volumes() (out []api.Name) {
	set := b.ledger()
	if set == nil {
		return nil
	}
	for _, ref := range set.Refs() {
		if ref.Kind == api.KindVolume {
			out = append(out, ref.Name)
		}
	}
	return out
}

// Secret is the newest version of a secret, which may be a tombstone; false: there is none.
func (b *Book) Secret(n api.Name) (intent.Signed, bool) {
	set := b.ledger()
	if set == nil {
		return intent.Signed{}, false
	}
	return set.Current(api.Ref{Kind: api.KindSecret, Name: n}, b.cfg.Now())
}

// Meant reports whether p, which says itself that it has the roles of own, is a member now that
// target matches.
func (b *Book) Meant(p api.PeerID, own []string, target api.Target) bool {
	set := b.ledger()
	key, err := keys.OfPeer(p)
	if set == nil || err != nil {
		return false
	}
	now := b.cfg.Now()
	m, known := set.Member(key, now)
	return known && m.Standing == api.StandingMember && target.Matches(p, set.Roles(key, own, now))
}

// May reports why k has not the right to the thing of that name; see [ledger.Ledger.May].
func (b *Book) May(k keys.Public, right api.Right, name api.Name) error {
	set := b.ledger()
	if set == nil {
		return trust.ErrUnclaimed
	}
	return set.May(k, right, name, b.cfg.Now())
}

// Realm is the realm that the node is of; false while it has no owner.
func (b *Book) Realm() (api.RealmID, bool) {
	pin, err := b.cfg.Pin()
	return pin.Realm, err == nil
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
