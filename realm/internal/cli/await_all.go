package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// awaitAll is [app.await] for several versions at once: it returns when each of them
// is done or has failed, or ctx ends. It tells people how they come on; what a program
// reads is its caller's to print ([app.outcomes]). The error names those that are not done.
func (a *app) awaitAll(ctx context.Context, n *node.Node, versions []intent.Signed) error {
	_, err := a.outcomes(ctx, n, versions)
	return err
}

// outcomes is [app.awaitAll] that tells how each version stands in the end.
func (a *app) outcomes(ctx context.Context, n *node.Node, versions []intent.Signed) ([]resultView, error) {
	results := make([]resultView, len(versions))
	failures := make([]error, len(versions))
	var g errgroup.Group
	for i, s := range versions {
		g.Go(func() error {
			goal, err := rollout.GoalOf(s.Intent)
			if err != nil {
				return err
			}
			members, outcome, err := follow(ctx, n, s, goal, func([]rollout.Progress) {})
			results[i] = newResult(s, memberViews(members))
			results[i].Reached = outcome == rollout.Done
			if err == nil && !results[i].Reached {
				failures[i] = unfinished(ctx, s, goal, members, outcome)
			}
			return err
		})
	}
	err := errors.Join(g.Wait(), errors.Join(failures...))
	for i, r := range results {
		if r.Reached {
			a.say("  %s is at version %d on %s", versions[i].Ref, r.Version, plural(len(r.Members), "node"))
		}
	}
	if err != nil {
		return results, fmt.Errorf("not everything is as it should be:\n%s", strings.TrimSpace(err.Error()))
	}
	return results, nil
}
