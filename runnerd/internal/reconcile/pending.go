package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// pending says why fewer members run l than it asks for; empty: so many do, or can.
func (s *state) pending(l *load, desired, away int) string {
	asked := l.asks.Replicas
	if desired > 0 && desired >= asked {
		return ""
	}
	if waits := placement.Waits(l.asks.Workload, l.rank); len(waits) > 0 {
		return s.blocked(l, waits)
	}
	whys := map[string]int{}
	for _, o := range l.rank.Out {
		whys[o.Why]++
	}
	for _, p := range l.rank.In {
		if s.phase(l, p) == placement.PhaseRefused {
			whys["it has refused"]++
		}
	}
	if away > 0 {
		whys["it has not been heard of"] = away
	}
	out := "no member can run it"
	if desired > 0 {
		out = fmt.Sprintf("%d of %d can run", desired, asked)
	}
	if len(whys) == 0 {
		return fmt.Sprintf("%s: the realm has %s", out, members(len(s.members.up)))
	}
	return out + ": " + reasons(whys)
}

// blocked says for whom replicas of l wait, which have their state.
func (s *state) blocked(l *load, waits []api.PeerID) string {
	var who []string
	for _, p := range waits {
		name := "…" + p.Short()
		if rec := s.members.records[p]; rec != nil && rec.Host != "" {
			name += " (" + rec.Host + ")"
		}
		why := "is not heard of"
		for _, o := range l.rank.Out {
			if o.Peer == p {
				why = "cannot run it: " + o.Why
			}
		}
		who = append(who, name+", which "+why)
	}
	return fmt.Sprintf("blocked: volume %s on %s: it goes on there when it can; else see realm volume restore and abandon",
		l.asks.volumes[0], strings.Join(who, "; and on "))
}

// reasons lists why members do not run something, the commonest first.
func reasons(whys map[string]int) string {
	type reason struct {
		why string
		n   int
	}
	var all []reason
	for why, n := range whys {
		all = append(all, reason{why, n})
	}
	slices.SortFunc(all, func(a, b reason) int { return cmp.Or(b.n-a.n, strings.Compare(a.why, b.why)) })
	var parts []string
	for i, r := range all {
		who := fmt.Sprint(r.n)
		if i == 0 {
			who = members(r.n)
		}
		parts = append(parts, who+said(r.why, r.n))
	}
	return strings.Join(parts, ", ")
}

func members(n int) string {
	if n == 1 {
		return "1 member"
	}
	return fmt.Sprint(n, " members")
}

// said is why, which is about one member, said of n of them.
func said(why string, n int) string {
	if n > 1 && why == placement.RunnerDownText {
		why = "their runnerd is down"
	}
	if why == "its target names other peers" {
		why = "it is not among the peers that its target names"
	}
	for _, verb := range []struct{ one, many string }{{"has", "have"}, {"is", "are"}} {
		if rest, ok := strings.CutPrefix(why, "it "+verb.one+" "); ok {
			if n > 1 {
				return " " + verb.many + " " + rest
			}
			return " " + verb.one + " " + rest
		}
	}
	return ": " + why
}
