package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// unknown is the error about a program that nobody has signed anything of, with the
// names that may have been meant.
func unknown(ctx context.Context, n *node.Node, name api.Name) error {
	var names []string
	if all, err := workloads(ctx, n); err == nil { // else there is less to say
		for _, w := range all {
			if w.Name == name { // of another kind
				return fmt.Errorf("%s: %w: did you mean %s?", name, owner.ErrUnknown, w.Ref)
			}
			names = append(names, string(w.Name))
		}
	}
	if like := nearest(string(name), names); len(like) > 0 {
		return fmt.Errorf("%s: %w: did you mean %s?", name, owner.ErrUnknown, strings.Join(like, " or "))
	}
	return fmt.Errorf("%s: %w: realm status lists what there is", name, owner.ErrUnknown)
}

// maxLike is how many names a person is reminded of.
const maxLike = 3

// nearest are those of names that a person may have meant by word, the likeliest
// first: they differ in two letters at most, or begin with it.
func nearest(word string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var found []candidate
	for _, n := range names {
		d := levenshtein.Distance(word, n, nil)
		if d > suggestDistance && len(word) > suggestDistance && strings.HasPrefix(n, word) {
			d = suggestDistance
		}
		if d <= suggestDistance && d < len(word) {
			found = append(found, candidate{n, d})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.distance - b.distance })
	var out []string
	for _, c := range found {
		if !slices.Contains(out, c.name) && len(out) < maxLike {
			out = append(out, c.name)
		}
	}
	return out
}
