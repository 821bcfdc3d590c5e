package node

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// Survey is how several Refs stand on the node at one moment: what a command that
// changes them together has seen.
type Survey struct {
	ledger *ledger.Ledger
	views  map[api.Ref]view
}

// Choose picks the Refs of a survey by what the node holds.
type Choose func(current func(api.Ref) *intent.Signed, all []api.Ref) []api.Ref

// histories is how many Refs are asked about at the same time.
const histories = 8

// Survey reads how those Refs of some kinds stand that choose picks. The numbers are
// meshd's, as in [Node.Begin].
func (n *Node) Survey(ctx context.Context, pin trust.Pin, kinds []api.Kind, choose Choose) (*Survey, error) {
	for range viewTries {
		s, same, err := n.surveyOnce(ctx, pin, kinds, choose)
		if err != nil || same {
			return s, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("read what is wanted: %w", context.Cause(ctx))
		case <-time.After(viewEvery):
		}
	}
	return nil, fmt.Errorf("read what is wanted: %w", errBehind)
}

// surveyOnce reads the bucket and meshd's answers; same tells whether they agree.
func (n *Node) surveyOnce(ctx context.Context, pin trust.Pin, kinds []api.Kind, choose Choose) (*Survey, bool, error) {
	patterns := sayPatterns()
	for _, k := range kinds {
		patterns = append(patterns, allOf(k))
	}
	l, err := n.readLedger(ctx, pin, patterns)
	if err != nil {
		return nil, false, err
	}
	s := &Survey{l, map[api.Ref]view{}}
	refs := choose(func(r api.Ref) *intent.Signed {
		if in, ok := l.Current(r, n.Now()); ok {
			return &in
		}
		return nil
	}, l.Refs())
	views := make([]view, len(refs))
	g, asking := errgroup.WithContext(ctx)
	g.SetLimit(histories)
	for i, r := range refs {
		g.Go(func() (err error) {
			views[i], err = n.viewIn(asking, l, r)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, false, err
	}
	for i, v := range views {
		if !v.same() {
			return nil, false, nil
		}
		s.views[refs[i]] = v
	}
	return s, true, nil
}

// Current is what counts of r; nil where nothing does, or r was not chosen.
func (s *Survey) Current(r api.Ref) *intent.Signed { return s.views[r].current }

// Refs are those that were chosen, in the order of their keys.
func (s *Survey) Refs() []api.Ref {
	return slices.SortedFunc(maps.Keys(s.views), func(a, b api.Ref) int { return strings.Compare(api.KeyIntent(a), api.KeyIntent(b)) })
}

// Versions of r that the node holds, the newest first.
func (s *Survey) Versions(r api.Ref) []api.Version { return s.views[r].versions }

// Wanted is what counts of one kind, tombstones left out, in the order of the names.
func (n *Node) Wanted(ctx context.Context, pin trust.Pin, k api.Kind) ([]intent.Signed, error) {
	l, err := n.readLedger(ctx, pin, append(sayPatterns(), allOf(k)))
	if err != nil {
		return nil, err
	}
	var out []intent.Signed
	for _, r := range l.Refs() {
		if s, ok := l.Current(r, n.Now()); ok && r.Kind == k && !s.Tombstone {
			out = append(out, s)
		}
	}
	return out, nil
}

// sayPatterns match what tells who may sign what.
func sayPatterns() (patterns []string) {
	for _, k := range sayKinds() {
		patterns = append(patterns, allOf(k))
	}
	return patterns
}
