package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// outcomes is [app.await] for several versions at once: it returns how each of them
// stands when it is done or has failed, or ctx ends. It tells people how they come on;
// what a program reads is its caller's to print. The error names those that are not done,
// or whose programs are on too few members.
func (a *app) outcomes(ctx context.Context, n *node.Node, versions []intent.Signed, d durability) ([]resultView, error) {
	if len(versions) == 0 {
		return nil, nil
	}
	begin := time.Now()
	b := newBoard(a, begin)
	stands, err := pursue(ctx, n, versions, b.show)
	b.end(stands)
	copies, few := a.keep(ctx, n, stands, d, begin)
	results := make([]resultView, len(stands))
	var failures []error
	for i, st := range stands {
		results[i] = newResult(st)
		results[i].Copies = copies[i]
		if st.Outcome != rollout.Done {
			failures = append(failures, unfinished(context.WithoutCancel(ctx), st))
		}
	}
	if err != nil || len(failures) == 0 {
		return results, errors.Join(err, few)
	}
	return results, because(ctx, notAll(failures, len(stands)))
}

// maxFailures is how many versions that are not done an error tells of at length.
const maxFailures = 10

func notAll(failures []error, of int) error {
	more := len(failures) - maxFailures
	if more > 0 {
		failures = append(failures[:maxFailures:maxFailures], fmt.Errorf("and %d more: see realm status", more))
	}
	if of == 1 {
		return failures[0]
	}
	off := len(failures) + max(more-1, 0)
	are := "are not as they should be"
	if off == 1 {
		are = "is not as it should be"
	}
	return fmt.Errorf("%d of %s %s:\n%w", off, plural(of, "program"), are, errors.Join(failures...))
}
