package ledger

import (
	"encoding/json"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// NodeSettings is what the owner wants of the node with this key at now; false where
// they have said nothing, or have taken it back.
func (l *Ledger) NodeSettings(node keys.Public, now time.Time) (api.NodeSettings, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.nodeSettings(node, now)
}

func (l *state) nodeSettings(node keys.Public, now time.Time) (v api.NodeSettings, ok bool) {
	s, ok := l.ownersTop(api.Ref{Kind: api.KindNode, Name: api.KeyName(node.Key())}, now)
	if !ok || s.Tombstone {
		return v, false
	}
	if json.Unmarshal(s.Body, &v) != nil || v.Validate() != nil {
		return api.NodeSettings{}, false // a newer version has said it in other words
	}
	return v, true
}

// Roles are those of the node with this key at now: what its settings say, or else its
// membership, or else the node itself, which says own.
func (l *Ledger) Roles(node keys.Public, own []string, now time.Time) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if v, ok := l.nodeSettings(node, now); ok && v.Roles != nil {
		return v.Roles
	}
	if m := l.roster.all[node]; m.Standing == api.StandingMember && len(m.Roles) > 0 {
		return m.Roles
	}
	return own
}
