package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

const (
	// leastDigits is the fewest digits of a digest that name a blob: there are 16 million
	// of that length, and people are shown twice as many.
	leastDigits = 6
	allDigits   = 2 * len(api.Digest{})
)

// digits is the beginning of a digest, as [parseDigits] reads it.
type digits string

// parseDigits reads what a person calls a blob by: the first hexadecimal digits of its
// digest, in either case, as others print it: after sha256: or before an ellipsis.
func parseDigits(word string) (digits, error) {
	s := strings.ToLower(strings.TrimSuffix(word, "…"))
	s = strings.TrimPrefix(s, "sha256:")
	switch {
	case strings.Trim(s, "0123456789abcdef") != "" || len(s) > allDigits:
		return "", fmt.Errorf("%.80q is no digest: want the sha256 of a blob, or its first digits, %d at least: realm storage ls lists them", word, leastDigits)
	case len(s) < leastDigits:
		return "", fmt.Errorf("%.80q is too short for a digest: give %d digits at least: realm storage ls lists them", word, leastDigits)
	case len(s) == allDigits:
		if _, err := api.ParseDigest(s); err != nil {
			return "", err
		}
	}
	return digits(s), nil
}

// whole is the digest, where all of it was given.
func (d digits) whole() (api.Digest, bool) {
	full, err := api.ParseDigest(string(d))
	return full, err == nil
}

func (d digits) begin(full api.Digest) bool { return strings.HasPrefix(full.String(), string(d)) }

// maxAlike is how many blobs a person is shown that some digits may mean.
const maxAlike = 8

// find is the blob that some digits mean: of those on this node, and of those that the
// realm needs, where that is known. All digits are taken as they are: any member may
// have it.
func (d digits) find(ctx context.Context, n *node.Node) (api.Digest, error) {
	if full, ok := d.whole(); ok {
		return full, nil
	}
	var found []api.Digest
	take := func(full api.Digest) {
		if d.begin(full) && !slices.Contains(found, full) {
			found = append(found, full)
		}
	}
	err := n.Blobs(ctx, func(r api.BlobRecord) error { take(r.SHA256); return nil })
	if err != nil {
		return api.Digest{}, err
	}
	all, err := needsSoon(ctx, n)
	for full := range all {
		take(full)
	}
	switch {
	case len(found) > 1:
		slices.SortFunc(found, api.Digest.Compare)
		return api.Digest{}, d.ambiguous(found)
	case len(found) == 0 && err != nil:
		return api.Digest{}, err
	case len(found) == 0:
		return api.Digest{}, fmt.Errorf("no blob begins with %s, of those on this node and those that the realm needs: realm storage ls --all lists them; any other is to be named by all %d digits", d, allDigits)
	}
	return found[0], nil
}

func (d digits) ambiguous(found []api.Digest) error {
	var b strings.Builder
	for i, full := range found {
		if i == maxAlike {
			fmt.Fprintf(&b, "\n  and %d more", len(found)-maxAlike)
			break
		}
		b.WriteString("\n  " + full.String())
	}
	return fmt.Errorf("%d blobs begin with %s: give more digits:%s", len(found), d, b.String())
}
