package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// leftView is a program that still runs on a drained node, in JSON.
type leftView struct {
	api.Ref
	State  api.State `json:"state"`
	Reason string    `json:"reason,omitempty"` // why it stays; "" while it is about to go
}

func (l leftView) String() string {
	return strings.Join(nonEmpty(l.Ref.String()+" "+string(l.State), oneLine(l.Reason)), ": ")
}

// errAway ends a watch of a node that is not connected.
var errAway = errors.New("it is away")

// awaitDrained waits until nothing runs on a drained node any more but what finds no
// other.
func (a *app) awaitDrained(ctx context.Context, n *node.Node, v nodeSettingsView) error {
	pin, err := readPin(n)
	if err != nil {
		return err
	}
	begin := time.Now()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	told := map[api.Ref]string{}
	// What stays may only look so until all have heard of the drain.
	patience := time.AfterFunc(rollout.QuietAfter, stop)
	defer patience.Stop()
	patience.Stop() // until something is seen
	patient, seen := false, false
	err = n.Watch(watching, node.Scope{Intents: &pin, Pace: manyPace}, func(now node.Snapshot) error {
		if p, ok := now.Peers[v.Peer]; !ok || !rollout.Up(p) {
			return errAway
		}
		v.Left, seen = left(now, v.Peer), true
		stuck := !slices.ContainsFunc(v.Left, func(l leftView) bool { return l.Reason == "" })
		if stuck && !patient {
			patience.Reset(rollout.QuietAfter)
		} else if !stuck {
			patience.Stop()
		}
		patient = stuck
		a.tellLeft(told, v.Left, begin)
		if len(v.Left) == 0 {
			stop()
		}
		return nil
	})
	if err != nil && !errors.Is(err, errAway) {
		return err
	}
	away := errors.Is(err, errAway)
	if !away && !seen {
		return because(ctx, fmt.Errorf("%s is drained, but what runs there could not be seen: see realm status", v.someone))
	}
	if err := a.print(v, func() {
		switch {
		case away:
			fmt.Fprintf(a.out, "%s is drained. It is not connected: it runs nothing when it is back.\n", v.someone)
		case len(v.Left) == 0:
			fmt.Fprintf(a.out, "%s runs nothing any more, after %.1f s.\n", v.someone, time.Since(begin).Seconds())
		}
	}); err != nil || away || len(v.Left) == 0 {
		return err
	}
	return because(ctx, notDrained(v))
}

// tellLeft prints a line for each program that has news.
func (a *app) tellLeft(told map[api.Ref]string, all []leftView, begin time.Time) {
	here := map[api.Ref]bool{}
	for _, l := range all {
		here[l.Ref] = true
		if text := l.String(); told[l.Ref] != text {
			told[l.Ref] = text
			a.say("  %5.1f s  still there: %s", time.Since(begin).Seconds(), text)
		}
	}
	for _, ref := range slices.SortedFunc(maps.Keys(told), compareRefs) {
		if !here[ref] {
			delete(told, ref)
			a.say("  %5.1f s  gone: %s", time.Since(begin).Seconds(), ref)
		}
	}
}

func compareRefs(a, b api.Ref) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
}

func notDrained(v nodeSettingsView) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is drained, but not everything has left it:", v.someone)
	for _, l := range v.Left {
		fmt.Fprintf(&b, "\n  %s", l)
	}
	b.WriteString("\nThey end when other nodes can run them, or with realm stop or realm scale. realm node resume takes the drain back.")
	return errors.New(b.String())
}

// left are the programs that run on a member, and why those stay that do.
func left(now node.Snapshot, peer api.PeerID) []leftView {
	known := upNow(now)
	for i := range known {
		known[i].Drained = known[i].Drained || known[i].Peer == peer // the drain may not have come here yet
	}
	var out []leftView
	for ref, facts := range now.Facts {
		f, ok := rollout.Facts(facts).Of(now.Peers[peer])
		if !ok || !runs(f) {
			continue
		}
		l := leftView{Ref: ref, State: f.State}
		if in, ok := now.Intents[ref]; ok {
			if w, err := rollout.WantedOf(in); err == nil && w.Goal == rollout.Run && w.Work.Replicas > 0 {
				l.Reason = rollout.Assess(w.On(now.Holders), known, facts, false).Pending
			}
		}
		out = append(out, l)
	}
	slices.SortFunc(out, func(a, b leftView) int { return compareRefs(a.Ref, b.Ref) })
	return out
}

// runs reports whether something of a program runs by what its member says.
func runs(f api.WorkloadFact) bool {
	switch f.State {
	case api.StateStarting, api.StateBackoff, api.StateUnhealthy:
		return true
	}
	return f.Answers()
}
