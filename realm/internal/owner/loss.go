package owner

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// Loss is what would be otherwise without somebody signing for it: programs and
// manifests of which another version would count, or none, and nodes that would be no
// members.
type Loss struct {
	Programs []intent.Signed // that count now; manifests last
	Members  []api.Member
}

// LossBy says what else than they are about goes when nodes that hold what l does
// take news. l, the ledger of pin's realm, stays as it is.
func LossBy(pin trust.Pin, l *ledger.Ledger, news []intent.Signed, now time.Time) Loss {
	after := ledger.New(pin)
	after.Restore(slices.Collect(maps.Values(l.Tops(now))), now)
	after.AddAll(news, now)
	var loss Loss
	for _, ref := range l.Refs() {
		was, ok := l.Current(ref, now)
		if !ok || ref.Kind.Right() != api.RightPush {
			continue
		}
		is, still := after.Current(ref, now)
		if still && is.Digest != was.Digest || !still && !was.Tombstone {
			loss.Programs = append(loss.Programs, was)
		}
	}
	slices.SortStableFunc(loss.Programs, func(a, b intent.Signed) int { return cmp.Compare(last(a.Kind), last(b.Kind)) })
	named := map[api.Ref]bool{}
	for _, s := range news {
		named[s.Ref] = true
	}
	stays := map[api.PeerID]bool{}
	for _, m := range after.Members(now) {
		stays[m.Peer] = m.Standing == api.StandingMember
	}
	for _, m := range l.Members(now) {
		ref, err := refOf(m.Peer)
		if m.Standing == api.StandingMember && !stays[m.Peer] && err == nil && !named[ref] {
			loss.Members = append(loss.Members, m)
		}
	}
	return loss
}

// last orders manifests after what they name.
func last(k api.Kind) int {
	if k == api.KindManifest {
		return 1
	}
	return 0
}

// Adopt has the owner sign what would be lost, so that it stays as it is in held: see
// [Together].
func (l Loss) Adopt(held *ledger.Ledger, now time.Time) ([]Act, error) {
	var acts []Act
	for _, m := range l.Members {
		ref, err := refOf(m.Peer)
		if err != nil {
			return nil, err
		}
		acts = append(acts, Act{ref, Say(&api.Membership{Roles: m.Roles})})
	}
	for _, s := range l.Programs {
		acts = append(acts, againIn(held, s.Ref, now))
	}
	return acts, nil
}

// refOf is what intents about the membership of a peer are about.
func refOf(p api.PeerID) (api.Ref, error) {
	k, err := keys.OfPeer(p)
	return MemberRef(k), err
}
