package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// await follows version s over the mesh until as many members as it asks for have
// done what it asks, one of them cannot, or ctx ends; then until enough keep its program.
func (a *app) await(ctx context.Context, n *node.Node, s intent.Signed, d durability) error {
	begin := time.Now()
	view := &changes{app: a, begin: begin, last: map[api.PeerID]string{}}
	all, err := pursue(ctx, n, []intent.Signed{s}, func(all []stand) { view.show(all[0]) })
	if err != nil {
		return err
	}
	st, result, took := all[0], newResult(all[0]), time.Since(begin)
	copies, few := a.keep(ctx, n, all, d, begin)
	result.Copies = copies[0]
	err = a.print(result, func() {
		if st.Outcome == rollout.Done {
			fmt.Fprintf(a.out, "%s %s, after %.1f s\n", s.Ref, st.reachedText(), took.Seconds())
		}
	})
	switch {
	case err != nil:
		return err
	case st.Outcome == rollout.Done:
		a.hint(ctx, n, st.Signed, st.wanted.Goal)
		return few
	}
	return unfinished(ctx, st)
}

// hintPatience is what a hint may cost.
const hintPatience = time.Second

// hint tells what to do with a program that has just come up.
func (a *app) hint(ctx context.Context, n *node.Node, s intent.Signed, goal rollout.Goal) {
	w, err := s.Workload()
	if err != nil || goal != rollout.Run || a.json || a.hinted {
		return
	}
	c, isComponent := w.(*api.Component)
	at, err := a.where()
	switch {
	case !isComponent:
		a.say("Next: realm fn exec %s ARG", s.Name)
	case err != nil || at.node != "": // what was asked is gone in a moment
		a.say("It runs there, and not here: see realm status on a member")
	case c.Interface == api.InterfaceCommand && c.Replicas > 0:
		a.say("Next: realm explain %s (where it runs, and what it wrote)", s.Name)
	case c.Interface == api.InterfaceCommand:
		a.say("Next: realm logs %s -f", s.Name)
	default:
		ctx, cancel := context.WithTimeout(ctx, hintPatience)
		defer cancel()
		if ps, err := n.PS(ctx); err == nil {
			for _, d := range ps.Daemons {
				if d.Daemon == api.Gatewayd && d.Note != "" {
					a.say("Next: open /%s/ on this node (%s)", s.Name, oneLine(d.Note))
				}
			}
		}
	}
}

// changes prints a line for each member whose state has changed.
type changes struct {
	app     *app
	begin   time.Time
	last    map[api.PeerID]string
	pending string // told last
	seq     uint64 // of the version that is followed; 0: none yet
}

func (c *changes) show(st stand) {
	if c.seq != 0 && c.seq != st.Seq {
		c.app.say("  version %d has taken its place, and asks for the same", st.Seq)
	}
	c.seq = st.Seq
	if st.Pending != "" && st.Pending != c.pending {
		c.app.say("  pending: %s", oneLine(st.Pending))
	}
	c.pending = st.Pending
	for _, m := range st.Members {
		if m.State == "" {
			continue // it has not heard of this version yet
		}
		text := string(m.State)
		if m.Outcome != rollout.Done {
			text = progressText(m)
		}
		if c.last[m.Peer] != text {
			c.last[m.Peer] = text
			c.app.say("  %5.1f s  %-24s  %s", time.Since(c.begin).Seconds(), someone{m.Peer, m.Host}, text)
		}
	}
}

// progressText is where a version stands on a member that has not done what it asks.
func progressText(p rollout.Progress) string {
	text := strings.Join(nonEmpty(string(p.State), oneLine(p.Reason)), ": ")
	if goesOn := fmt.Sprintf("version %d goes on", p.Serving); p.Serving != 0 && p.State != "" && !strings.Contains(text, goesOn) {
		text += "; " + goesOn
	}
	return text
}

// reachedText says what a version has come to, and on how many nodes.
func (st stand) reachedText() string {
	text := map[rollout.Goal]string{rollout.Run: "runs", rollout.Stop: "is stopped", rollout.Remove: "is removed"}[st.wanted.Goal]
	done := st.done()
	if done == 0 {
		return text + ": no connected node has it"
	}
	return text + " on " + plural(done, "node")
}

// done is how many members have done what the version asks.
func (st stand) done() (n int) {
	for _, m := range st.Members {
		if m.Outcome == rollout.Done {
			n++
		}
	}
	return n
}

// notYetText says how far a version has come that is not where it should be.
func (st stand) notYetText() string {
	switch replicas := st.wanted.Work.Replicas; {
	case st.wanted.Goal == rollout.Stop:
		return "it is not stopped everywhere yet"
	case st.wanted.Goal == rollout.Remove:
		return "it is not removed everywhere yet"
	case replicas > 0 && st.Updated > replicas:
		return fmt.Sprintf("%s run where %d were asked for: those that are too many end when the others are ready", plural(st.Updated, "replica"), replicas)
	case replicas > 0:
		return fmt.Sprintf("%d of %s run", st.Updated, plural(replicas, "replica"))
	}
	return "it does not run everywhere yet"
}

// unfinished says who has not done what st asks, why, and what to do.
func unfinished(ctx context.Context, st stand) error {
	failed := st.Outcome == rollout.Failed
	var b strings.Builder
	switch {
	case st.replaced != nil:
		return because(ctx, fmt.Errorf("version %d of %s came to nothing: version %d has taken its place, and asks for something else: see realm history %s", st.Seq, st.Ref, st.replaced.Seq, st.Ref))
	case failed:
		fmt.Fprintf(&b, "%s failed", st.Ref)
	default:
		fmt.Fprintf(&b, "version %d of %s is accepted, but %s", st.Seq, st.Ref, st.notYetText())
	}
	if st.Pending != "" && !failed {
		fmt.Fprintf(&b, "\n  pending: %s: see realm peers; it starts when there is one", oneLine(st.Pending))
	}
	writeBlame(&b, st)
	b.WriteString("\n" + nextText(st))
	return because(ctx, errors.New(b.String()))
}

// maxBlamed is how many members an error lists.
const maxBlamed = 12

// writeBlame lists the members that have not done what st asks: of a version that
// failed those where it did, with their last lines.
func writeBlame(b *strings.Builder, st stand) {
	listed := 0
	for _, m := range st.Members {
		if m.Outcome == rollout.Done || st.Outcome == rollout.Failed && m.Outcome != rollout.Failed {
			continue
		}
		if listed++; listed > maxBlamed {
			continue
		}
		fmt.Fprintf(b, "\n  %s: %s", someone{m.Peer, m.Host}, progressText(m))
		for _, l := range m.Tail {
			fmt.Fprintf(b, "\n    | %s", printable(l))
		}
	}
	if more := listed - maxBlamed; more > 0 {
		fmt.Fprintf(b, "\n  and %s more", plural(more, "node"))
	}
}

// nextText says what to do about a version that is not where it should be.
func nextText(st stand) string {
	if st.Outcome != rollout.Failed {
		return fmt.Sprintf("The nodes go on with it. See how with realm explain %s, or realm status for all; wait longer with --timeout.", st.Ref)
	}
	back := ""
	if st.Seq > 1 {
		back = fmt.Sprintf(" go back with realm rollback %s,", st.Ref)
	}
	return fmt.Sprintf("Mend the program and push it again,%s or take it away with realm rm %s; realm logs %s has more of what it wrote here.", back, st.Ref, st.Name)
}

func nonEmpty(all ...string) []string {
	var out []string
	for _, s := range all {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}
