package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// await follows version s over the mesh until every connected member that it is
// for has done what it asks, one of them cannot, or ctx ends.
func (a *app) await(ctx context.Context, n *node.Node, s intent.Signed) error {
	goal, err := rollout.GoalOf(s.Intent)
	if err != nil {
		return err
	}
	begin := time.Now()
	view := &changes{app: a, begin: begin, last: map[api.PeerID]string{}}
	members, outcome, err := follow(ctx, n, s, goal, view.show)
	if err != nil {
		return err
	}
	r := newResult(s, memberViews(members))
	r.Reached = outcome == rollout.Done
	err = a.print(r, func() {
		if r.Reached {
			fmt.Fprintf(a.out, "%s %s on %s, after %.1f s\n", s.Ref, goalText(goal), plural(len(members), "node"), time.Since(begin).Seconds())
		}
	})
	if err == nil && r.Reached {
		a.hint(ctx, n, s, goal)
	}
	if err != nil || r.Reached {
		return err
	}
	return unfinished(ctx, s, goal, members, outcome)
}

// hintPatience is what a hint may cost.
const hintPatience = time.Second

// hint tells what to do with a program that has just come up.
func (a *app) hint(ctx context.Context, n *node.Node, s intent.Signed, goal rollout.Goal) {
	w, err := s.Workload()
	if err != nil || goal != rollout.Run || a.json {
		return
	}
	c, isComponent := w.(*api.Component)
	at, err := a.where()
	switch {
	case !isComponent:
		a.say("Next: realm fn exec %s ARG", s.Name)
	case err != nil || at.node != "": // what was asked is gone in a moment
		a.say("It runs there, and not here: see realm status on a member")
	case c.Interface != api.InterfaceCGI:
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

// sight is what a watch has seen last, of one workload.
type sight struct {
	peers []api.PeerRecord
	facts map[api.PeerID]api.WorkloadFact
}

// follow judges what is seen of s until there is a verdict or ctx ends, in which
// case the outcome is Waiting.
func follow(ctx context.Context, n *node.Node, s intent.Signed, goal rollout.Goal, show func([]rollout.Progress)) ([]rollout.Progress, rollout.Outcome, error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	sights := make(chan sight, 1) // the newest alone
	ended := make(chan error, 1)
	go func() {
		ended <- n.Watch(watching, node.Scope{Ref: &s.Ref}, func(now node.Snapshot) error {
			select {
			case <-sights:
			default:
			}
			sights <- sight{now.PeerList(), maps.Clone(now.Facts[s.Ref])}
			return nil
		})
	}()
	quietAt := time.Now().Add(rollout.QuietAfter)
	var roster rollout.Roster
	var seen sight
	var progress []rollout.Progress
	recheck := time.NewTimer(rollout.QuietAfter)
	defer recheck.Stop()
	for {
		select {
		case <-ctx.Done():
			return progress, rollout.Waiting, nil
		case err := <-ended:
			if ctx.Err() != nil {
				continue
			}
			return progress, rollout.Waiting, errors.Join(err, errors.New("the node's state is no longer to be seen"))
		case seen = <-sights:
		case <-recheck.C:
		}
		now := time.Now()
		members, next := roster.Update(seen.peers, s.Target, now)
		quiet := !now.Before(quietAt)
		if !quiet && (next.IsZero() || quietAt.Before(next)) {
			next = quietAt
		}
		if !next.IsZero() {
			recheck.Reset(time.Until(next))
		}
		progress = judge(goal, s.Version(), members, seen.facts, quiet)
		show(progress)
		if outcome := rollout.Verdict(progress); outcome != rollout.Waiting {
			return progress, outcome, nil
		}
	}
}

func judge(g rollout.Goal, v intent.Version, members []rollout.Member, facts map[api.PeerID]api.WorkloadFact, quiet bool) []rollout.Progress {
	var out []rollout.Progress
	for _, m := range members {
		var f *api.WorkloadFact
		if have, ok := facts[m.Peer]; ok {
			f = &have
		}
		out = append(out, rollout.Judge(g, v, m, f, quiet))
	}
	return out
}

// changes prints a line for each member whose state has changed.
type changes struct {
	app   *app
	begin time.Time
	last  map[api.PeerID]string
	alone bool // it was said that nobody is there to do it
}

func (c *changes) show(members []rollout.Progress) {
	if len(members) == 0 && !c.alone {
		c.alone = true
		c.app.say("  no connected node is one that it is for; waiting for one")
	}
	for _, m := range members {
		text := string(m.State)
		if text == "" {
			continue // it has not heard of this version yet
		}
		if m.Reason != "" && m.Outcome != rollout.Done {
			text += ": " + oneLine(m.Reason)
		}
		if c.last[m.Peer] != text {
			c.last[m.Peer] = text
			c.app.say("  %5.1f s  %-24s  %s", time.Since(c.begin).Seconds(), peerText(m.Host, m.Peer), text)
		}
	}
}

func goalText(g rollout.Goal) string {
	switch g {
	case rollout.Stop:
		return "is stopped"
	case rollout.Remove:
		return "is removed"
	default:
		return "runs"
	}
}

func notYetText(g rollout.Goal) string {
	switch g {
	case rollout.Stop:
		return "it is not stopped everywhere yet"
	case rollout.Remove:
		return "it is not removed everywhere yet"
	default:
		return "it does not run everywhere yet"
	}
}

// unfinished says who has not done what s asks, and why.
func unfinished(ctx context.Context, s intent.Signed, g rollout.Goal, members []rollout.Progress, outcome rollout.Outcome) error {
	var b strings.Builder
	if outcome == rollout.Failed {
		fmt.Fprintf(&b, "%s failed", s.Ref)
	} else {
		fmt.Fprintf(&b, "version %d of %s is accepted, but %s", s.Seq, s.Ref, notYetText(g))
	}
	if len(members) == 0 {
		fmt.Fprintf(&b, "\n  no connected node is one that it is for (%s): see realm peers; it starts when one comes", targetText(s.Target))
	}
	for _, m := range members {
		if m.Outcome == rollout.Done || outcome == rollout.Failed && m.Outcome != rollout.Failed {
			continue
		}
		fmt.Fprintf(&b, "\n  %s: %s", peerText(m.Host, m.Peer), strings.Join(nonEmpty(string(m.State), oneLine(m.Reason)), ": "))
		for _, l := range m.Tail {
			fmt.Fprintf(&b, "\n    | %s", printable(l))
		}
	}
	if outcome == rollout.Failed {
		fmt.Fprintf(&b, "\nMend the program and push it again, or take it away with realm rm %s; realm logs %s has more of what it wrote here.", s.Ref, s.Name)
	} else {
		fmt.Fprintf(&b, "\nThe nodes go on with it. See how with realm status; wait longer with --timeout.")
	}
	return because(ctx, errors.New(b.String()))
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

func targetText(t api.Target) string {
	var parts []string
	for _, p := range t.Peers {
		parts = append(parts, "peer …"+p.Short())
	}
	for _, tag := range t.Tags {
		parts = append(parts, "tag "+tag)
	}
	return orElse(strings.Join(parts, ", "), "all nodes")
}
