package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// durability is on how many members a program is to be kept before a command returns;
// 0: the command brings no program.
type durability int

func (d *durability) declare(f *pflag.FlagSet, what string) {
	f.IntVar((*int)(d), "durability", api.Copies, "on how many members "+what+" to be kept before this returns, 1 to 3, or on all where there are fewer; 1 waits for no others")
}

func (d durability) check() error {
	if d < 1 || d > api.Copies {
		return fmt.Errorf("--durability %d: want 1 to %d", d, api.Copies)
	}
	return nil
}

// keep returns when the programs of versions that have come to their goal are on enough
// members, or ctx ends, and says for each of all, in their order, who has its program:
// nil where nobody was asked. The error names those that are on too few.
func (a *app) keep(ctx context.Context, n *node.Node, all []stand, d durability, begin time.Time) ([]*copiesView, error) {
	views := make([]*copiesView, len(all))
	at, err := a.where()
	if err != nil || d == 0 || d == 1 && at.node == "" { // it is on this node
		return views, err
	}
	programs := make([]api.Digest, len(all))
	var blobs []api.Digest
	known := map[api.Digest]bool{}
	for i, st := range all {
		w, err := st.Workload()
		if err != nil || st.Outcome != rollout.Done {
			continue // it is removed, or there is more to tell than that
		}
		if programs[i] = w.Program().Blob; !known[programs[i]] {
			known[programs[i]] = true
			blobs = append(blobs, programs[i])
		}
	}
	if len(blobs) == 0 {
		return views, nil
	}
	last := ""
	found, err := awaitCopies(ctx, n, blobs, int(d), func(found map[api.Digest]copiesView) {
		if text := keptText(found, blobs, d); text != last {
			last = text
			a.say("  %5.1f s  kept %s", time.Since(begin).Seconds(), text)
		}
	})
	var few []error
	for i, p := range programs {
		v, ok := found[p]
		if ok {
			views[i] = &v
		}
		if ok && !v.enough(int(d)) {
			few = append(few, tooFew(all[i], v, at.node != ""))
		}
	}
	if err != nil {
		few = append(few, fmt.Errorf("what was asked for is so, but not known is who keeps the programs: %w", err))
	}
	return views, because(ctx, errors.Join(few...))
}

// keptText says on how many members programs are.
func keptText(found map[api.Digest]copiesView, blobs []api.Digest, d durability) string {
	if len(blobs) == 1 {
		return found[blobs[0]].line()
	}
	enough, want := 0, 0
	for _, v := range found {
		if want = max(want, min(int(d), v.Want)); v.enough(int(d)) {
			enough++
		}
	}
	return fmt.Sprintf("on %s: %d of %s", plural(want, "member"), enough, plural(len(blobs), "program"))
}

// tooFew is the error about a version that is where it should be, with a program that is
// on too few members. client: the node that has it goes with the command.
func tooFew(st stand, v copiesView, client bool) error {
	lines := append([]string{fmt.Sprintf("%s %s, but its program is kept %s", st.Ref, st.reachedText(), v.text())}, v.missing()...)
	next := fmt.Sprintf("The members go on with it by themselves: see realm explain %s. Wait longer with --timeout, or do not wait with --durability 1.", st.Ref)
	if client && len(v.Have) == 0 {
		next = "The node that this command brought up has it, and goes now: repeat the command with a longer --timeout."
	}
	return fmt.Errorf("%s\n%s", strings.Join(lines, "\n  "), next)
}
