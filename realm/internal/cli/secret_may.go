package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
	"github.com/realm-mesh/realm/realm/internal/plan"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// mayGive says why one of the components would not be given its secrets anywhere.
func (a *app) mayGive(ctx context.Context, n *node.Node, s signer, all ...plan.Desired) error {
	all = slices.DeleteFunc(all, func(d plan.Desired) bool { return len(d.Body.Secrets) == 0 })
	if len(all) == 0 {
		return nil
	}
	seen, l, err := a.secretsSeen(ctx, n, s)
	if err != nil {
		return err
	}
	for _, d := range all {
		if err := checkSecrets(seen, l, d.Body.Secrets, d.Target, n.Now()); err != nil {
			return fmt.Errorf("component %s: %w", d.Name, err)
		}
	}
	return nil
}

// checkSecrets says why a component that target is for would not be given its secrets.
func checkSecrets(s node.Snapshot, l *ledger.Ledger, uses []api.SecretUse, target api.Target, now time.Time) error {
	for _, u := range uses {
		in, ok := l.Current(owner.SecretRef(u.Name), now)
		if !ok || in.Tombstone {
			return fmt.Errorf("secret %s: there is no such secret: realm secret set %s", u.Name, u.Name)
		}
		may := meant(s, l, in.Target, now)
		if !slices.ContainsFunc(meant(s, l, target, now), func(m someone) bool { return slices.Contains(may, m) }) {
			return fmt.Errorf("secret %s: it is for %s, and none of these is for %s, which the component is for: set it once more for those", u.Name, rollout.TargetText(in.Target), rollout.TargetText(target))
		}
	}
	return nil
}

// exposed are the secrets that nodes could read which are to be revoked: those that are meant
// for them, or were sealed to them.
func exposed(s node.Snapshot, l *ledger.Ledger, out []api.PeerID, now time.Time) (all []secretView) {
	for _, v := range viewSecrets(s, l, now) {
		if slices.ContainsFunc(append(v.Sealed, v.Members...), func(m someone) bool { return slices.Contains(out, m.Peer) }) {
			all = append(all, v)
		}
	}
	return all
}
