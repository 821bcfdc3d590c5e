package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/plan"
	"github.com/realm-mesh/realm/realm/internal/rollback"
)

// rollbackManifest makes every component of a manifest what an earlier version of it
// asked for.
func (a *app) rollbackManifest(ctx context.Context, n *node.Node, name api.Name, to uint64, f applyFlags) error {
	if f.dryRun {
		pin, err := readPin(n)
		if err != nil {
			return err
		}
		w, err := a.planBack(ctx, n, pin, name, to, f.Options)
		if err != nil {
			return err
		}
		return a.printDry(w.plan)
	}
	s, err := a.newSigner(ctx, n)
	if err != nil {
		return err
	}
	w, err := a.planBack(ctx, n, s.pin, name, to, f.Options)
	if err != nil {
		return err
	}
	for _, i := range w.plan.Items {
		if d, ok := i.Wanted(); ok && i.NewBlobs() {
			if err := mustHaveBlobs(ctx, n, fmt.Sprintf("component/%s", d.Name), d.Body.Blobs(), f.force); err != nil {
				return err
			}
		}
	}
	return a.carryOut(ctx, n, s, w, &programs{}, f)
}

// planBack plans the way back to the version of a manifest with this number, or to the
// last one that asked for something else than what is wanted now.
func (a *app) planBack(ctx context.Context, n *node.Node, pin trust.Pin, name api.Name, to uint64, o plan.Options) (work, error) {
	versions, err := n.History(ctx, plan.Ref(name))
	if err != nil {
		return work{}, err
	}
	all := rollback.Manifests(versions)
	if len(all) == 0 {
		return work{}, fmt.Errorf("manifest %s: nothing has been applied under this name: realm status lists what there is", name)
	}
	if to != 0 {
		if all, err = rollback.Version(all, to); err != nil {
			return work{}, fmt.Errorf("manifest %s: %w", name, err)
		}
	} else {
		all = slices.DeleteFunc(all, func(m rollback.Manifest) bool { return m.State == api.VersionCurrent })
	}
	for _, m := range all {
		w, err := a.planTo(ctx, n, pin, name, m, o)
		if err == nil && (to != 0 || w.plan.Pending()) {
			a.say("manifest %s: back to what version %d asked for", name, m.Body.Version)
			return w, nil
		}
		if err != nil {
			return w, err
		}
	}
	return work{}, fmt.Errorf("manifest %s: %w: see realm history manifest/%s", name, rollback.ErrNone, name)
}

// planTo plans the way back to one version of a manifest.
func (a *app) planTo(ctx context.Context, n *node.Node, pin trust.Pin, name api.Name, m rollback.Manifest, o plan.Options) (work, error) {
	var desired []plan.Desired
	for _, c := range m.Body.Components {
		desired = append(desired, plan.Desired{Name: c.Name}) // to be surveyed
	}
	w, err := a.look(ctx, n, pin, name, desired)
	if err != nil {
		return w, err
	}
	var lost []string
	for i, c := range m.Body.Components {
		v, ok := w.seen.Version(plan.ComponentRef(c.Name), c.Intent)
		if !ok {
			lost = append(lost, string(c.Name))
			continue
		}
		if desired[i], err = plan.Was(v.Intent); err != nil {
			return w, err
		}
	}
	if len(lost) > 0 {
		return w, fmt.Errorf("manifest %s version %d: what it asked for is not held here any more: %s (members keep the newest eight versions of each signer): apply its file again",
			name, m.Body.Version, strings.Join(lost, ", "))
	}
	w.plan, err = plan.Make(name, desired, w.seen, o)
	return w, err
}
