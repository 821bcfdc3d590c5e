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
	needs := make([][]api.BlobInfo, len(all)) // the first is the program
	var blobs []api.Digest
	word := "program"
	known := map[api.Digest]bool{}
	for i, st := range all {
		w, err := st.Workload()
		if err != nil || st.Outcome != rollout.Done {
			continue // it is removed, or there is more to tell than that
		}
		if needs[i] = blobsOf(w); len(needs[i]) > 1 {
			word = "blob"
		}
		for _, b := range needs[i] {
			if !known[b.SHA256] {
				known[b.SHA256] = true
				blobs = append(blobs, b.SHA256)
			}
		}
	}
	if len(blobs) == 0 {
		return views, nil
	}
	last := ""
	found, err := awaitCopies(ctx, n, blobs, int(d), func(found map[api.Digest]copiesView) {
		if text := keptText(found, blobs, d, word); text != last {
			last = text
			a.say("  %5.1f s  kept %s", time.Since(begin).Seconds(), text)
		}
	})
	var few []error
	for i, blobs := range needs {
		for j, b := range blobs {
			v, ok := found[b.SHA256]
			if ok && j == 0 {
				views[i] = &v
			}
			if ok && !v.enough(int(d)) {
				few = append(few, tooFew(all[i], v, j > 0, at.node != ""))
				break
			}
		}
	}
	if err != nil {
		few = append(few, fmt.Errorf("what was asked for is so, but not known is who keeps the programs: %w", err))
	}
	return views, because(ctx, errors.Join(few...))
}

// keptText says on how many members blobs are, which are what word says.
func keptText(found map[api.Digest]copiesView, blobs []api.Digest, d durability, word string) string {
	if len(blobs) == 1 {
		return found[blobs[0]].line()
	}
	enough, want := 0, 0
	for _, v := range found {
		if want = max(want, min(int(d), v.Want)); v.enough(int(d)) {
			enough++
		}
	}
	return fmt.Sprintf("on %s: %d of %s", plural(want, "member"), enough, plural(len(blobs), word))
}

// tooFew is the error about a version that is where it should be, with a program that is
// on too few members. client: the node that has it goes with the command.
func tooFew(st stand, v copiesView, files, client bool) error {
	what := "its program is"
	if files {
		what = "files that it shows are"
	}
	lines := append([]string{fmt.Sprintf("%s %s, but %s kept %s", st.Ref, st.reachedText(), what, v.text())}, v.missing()...)
	next := fmt.Sprintf("The members go on with it by themselves: see realm explain %s. Wait longer with --timeout, or do not wait with --durability 1.", st.Ref)
	if client && len(v.Have) == 0 {
		next = "The node that this command brought up has it, and goes now: repeat the command with a longer --timeout."
	}
	return fmt.Errorf("%s\n%s", strings.Join(lines, "\n  "), next)
}
