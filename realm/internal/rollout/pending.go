package rollout

import (
	"fmt"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
)

// unfit is a member that does not run a workload.
type unfit struct {
	Member
	why string
}

// pending says why fewer members than were asked for can do what w asks.
func (s selection) pending(w Wanted) string {
	if len(s.waits) > 0 {
		return s.blocked(w)
	}
	meant := func(u unfit) bool { return w.Work.Target.Matches(u.Peer, u.Roles) }
	replicas, fit := w.Work.Replicas, s.fit
	switch {
	case fit == 0 && !slices.ContainsFunc(s.unfit, meant):
		return fmt.Sprintf("no connected node is one that it is for (%s)", TargetText(w.Work.Target))
	case replicas > 0:
		return fmt.Sprintf("%d of %s can run: %s", fit, count(replicas, "replica"), reasons(s.unfit))
	}
	s.unfit = slices.DeleteFunc(s.unfit, func(u unfit) bool { return !meant(u) || u.Drained && fit > 0 })
	if fit == 0 {
		return "no node can run it: " + reasons(s.unfit)
	}
	return fmt.Sprintf("%d of %s that it is for cannot run it: %s", s.asked-fit, count(s.asked, "node"), reasons(s.unfit))
}

// blocked says for whom w waits, which have its state.
func (s selection) blocked(w Wanted) string {
	var who []string
	for _, p := range s.waits {
		name, why := "…"+p.Short(), "is not connected"
		for _, u := range s.unfit {
			if u.Peer == p {
				name, why = u.name(true), "cannot run it: "+u.why
			}
		}
		who = append(who, name+", which "+why)
	}
	return fmt.Sprintf("blocked: volume %s on %s", w.Volumes[0], strings.Join(who, "; and on "))
}

func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// maxNamed is how many members are named for one reason.
const maxNamed = 4

// reasons says why members do not run a workload, those with one reason together.
func reasons(all []unfit) string {
	if len(all) == 0 {
		return "there are no more nodes"
	}
	called := map[string]int{}
	for _, u := range all {
		called[u.Host]++
	}
	var order []string
	hosts := map[string][]string{}
	for _, u := range all {
		if hosts[u.why] == nil {
			order = append(order, u.why)
		}
		hosts[u.why] = append(hosts[u.why], u.name(called[u.Host] > 1))
	}
	var out []string
	for _, why := range order {
		named := hosts[why]
		if more := len(named) - maxNamed; more > 1 {
			named = append(named[:maxNamed:maxNamed], fmt.Sprintf("%d more", more))
		}
		out = append(out, strings.Join(named, ", ")+": "+why)
	}
	return strings.Join(out, "; ")
}

// name is what people call m; with the end of its id, where another has its host's name.
func (m Member) name(twin bool) string {
	if m.Host != "" && !twin {
		return m.Host
	}
	return strings.TrimSpace(m.Host + " …" + m.Peer.Short())
}

// TargetText names the members that t selects, for people.
func TargetText(t api.Target) string {
	var parts []string
	for _, p := range t.Peers {
		parts = append(parts, "peer …"+p.Short())
	}
	for _, tag := range t.Tags {
		parts = append(parts, "tag "+tag)
	}
	if len(parts) == 0 {
		return "all nodes"
	}
	return strings.Join(parts, ", ")
}
