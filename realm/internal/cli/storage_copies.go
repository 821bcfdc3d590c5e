package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
)

// copiesView is who has a blob, in JSON.
type copiesView struct {
	Needed bool      `json:"needed"` // by the realm
	Want   int       `json:"want"`   // how many members should have it
	Have   []someone `json:"have"`
	Lack   []someone `json:"lack"` // should have it, and do not yet
	Away   []someone `json:"away"` // should have it, and do not answer

	others int                   // members that are up, apart from this node
	hosts  map[api.PeerID]string // what all members call themselves
}

// viewCopies is how c stands by what the node knows of members. A client that asks
// is no member that keeps anything.
func viewCopies(c api.BlobCopies, s node.Snapshot) copiesView {
	v := copiesView{Needed: c.Needed, Want: c.Want, hosts: hosts(s)}
	for _, p := range s.Peers {
		if p.Live && !p.Self && !p.Client {
			v.others++
		}
	}
	have := slices.DeleteFunc(slices.Clone(c.Have), func(p api.PeerID) bool { return s.Peers[p].Client })
	lack := slices.DeleteFunc(slices.Clone(c.Keepers), func(p api.PeerID) bool { return slices.Contains(have, p) || slices.Contains(c.Away, p) })
	v.Have, v.Lack, v.Away = named(have, v.hosts), named(lack, v.hosts), named(c.Away, v.hosts)
	return v
}

// enough reports whether as many members have it as are wanted, or as there are that
// can keep it.
func (v copiesView) enough(wanted int) bool { return len(v.Have) >= min(wanted, v.Want) }

// text says who has it: "on 2 of 3 members: alpha, beta".
func (v copiesView) text() string {
	switch have := len(v.Have); {
	case have == 0 && v.Want == 0:
		return "nowhere: no member can keep it"
	case have == 0:
		return "on none of " + plural(v.Want, "member")
	case have == 1 && v.Want <= 1 && v.others == 0:
		return "on 1 member, " + namesText(v.Have, v.hosts) + ": no other of the realm is up"
	case have == 1 && v.Want <= 1:
		return "on 1 member, " + namesText(v.Have, v.hosts) + ": no other can keep it now"
	case have > v.Want && v.Want > 0:
		return fmt.Sprintf("on %d of %s: %s; also on %s", v.Want, plural(v.Want, "member"), namesText(v.Have[:v.Want], v.hosts), namesText(v.Have[v.Want:], v.hosts))
	case v.Want == 0:
		return v.found()
	default:
		return fmt.Sprintf("on %d of %s: %s", have, plural(v.Want, "member"), namesText(v.Have, v.hosts))
	}
}

// found says who has what nobody needs: "on 2 members: alpha, beta".
func (v copiesView) found() string {
	if len(v.Have) == 0 {
		return "on no member that was asked"
	}
	return "on " + plural(len(v.Have), "member") + ": " + namesText(v.Have, v.hosts)
}

// missing says who should have it and does not, a line each.
func (v copiesView) missing() (lines []string) {
	if len(v.Lack) > 0 {
		lines = append(lines, "on its way to "+namesText(v.Lack, v.hosts))
	}
	if len(v.Away) > 0 {
		lines = append(lines, "no answer from "+namesText(v.Away, v.hosts))
	}
	return lines
}

// line is [copiesView.text] and [copiesView.missing] in one.
func (v copiesView) line() string {
	return strings.Join(append([]string{v.text()}, v.missing()...), "; ")
}

// copies asks who has a blob. It does not wait for a node that cannot know that yet.
func copies(ctx context.Context, n *node.Node, d api.Digest) (copiesView, error) {
	ctx, cancel := context.WithTimeout(ctx, partPatience)
	defer cancel()
	c, err := n.Copies(ctx, d)
	if err != nil {
		return copiesView{}, err
	}
	s, err := n.Look(ctx, node.Scope{})
	return viewCopies(c, s), err
}

const (
	copiesAtOnce = 16 // blobs that are asked about at the same time
	// Nothing tells when a member has got a blob: it is asked for, less and less often.
	copiesFirst = 100 * time.Millisecond
	copiesMost  = 2 * time.Second
)

// awaitCopies returns when all blobs are on as many members as wanted, or ctx ends: then
// it says who had them last, and why it does not know of some. show is called after each
// look.
func awaitCopies(ctx context.Context, n *node.Node, blobs []api.Digest, wanted int, show func(map[api.Digest]copiesView)) (map[api.Digest]copiesView, error) {
	all := map[api.Digest]copiesView{}
	open := slices.Clone(blobs)
	for pause := copiesFirst; ; pause = min(pause*3/2, copiesMost) {
		if err := lookForCopies(ctx, n, open, all); err != nil {
			return all, err
		}
		show(all)
		open = slices.DeleteFunc(open, func(d api.Digest) bool { return all[d].enough(wanted) })
		if len(open) == 0 {
			return all, nil
		}
		select {
		case <-ctx.Done():
			return all, nil
		case <-time.After(pause):
		}
	}
}

// lookForCopies puts into all who has which of blobs. That it was cut short is no error
// about those that were seen before.
func lookForCopies(ctx context.Context, n *node.Node, blobs []api.Digest, all map[api.Digest]copiesView) error {
	s, err := n.Look(ctx, node.Scope{})
	if err != nil {
		if len(all) > 0 && ctx.Err() != nil {
			return nil //nolint:nilerr // see above
		}
		return err
	}
	found := make([]api.BlobCopies, len(blobs))
	failed := make([]error, len(blobs))
	var g errgroup.Group
	g.SetLimit(copiesAtOnce)
	for i, d := range blobs {
		g.Go(func() error {
			found[i], failed[i] = n.Copies(ctx, d)
			return nil
		})
	}
	_ = g.Wait() // the errors are in failed
	for i, d := range blobs {
		if failed[i] == nil {
			all[d] = viewCopies(found[i], s)
		}
	}
	for i, d := range blobs {
		_, seen := all[d]
		if failed[i] != nil && (!seen || ctx.Err() == nil) { // what was seen before the end stands
			return failed[i]
		}
	}
	return nil
}

// tooFew is the error about a blob that is not on as many members as it should be.
func (v copiesView) tooFew(what, next string) error {
	lines := append([]string{fmt.Sprintf("%s, but kept %s so far", what, v.text())}, v.missing()...)
	return fmt.Errorf("%s\nThe members go on with it by themselves: %s", strings.Join(lines, "\n  "), next)
}
