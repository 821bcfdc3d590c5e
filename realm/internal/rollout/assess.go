package rollout

import (
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// Facts are what members have said last of one workload.
type Facts map[api.PeerID]api.WorkloadFact

// Of is what p has said last. What runnerd has said before it went down is nothing:
// it is not so any more.
func (f Facts) Of(p api.PeerRecord) (api.WorkloadFact, bool) {
	if p.IsDown(api.Runnerd) {
		return api.WorkloadFact{}, false
	}
	have, ok := f[p.Peer]
	return have, ok
}

// Assessment is where a version stands on all members.
type Assessment struct {
	Outcome Outcome // Waiting, Done or Failed
	// Members are those that must do what the version asks, and those that have something
	// of it, or of another version still; in the order in which they were given.
	Members []Progress
	Asked   int // replicas, if members were enough; of "every": the members that match
	Desired int // of them that can be had now
	Running int // members that run or answer, in any version, or have ended well
	Updated int // of them, in this version
	// Pending says for people why fewer can run it than were asked for; "" where all can.
	Pending string

	reached int  // members that are where the version wants them
	failed  bool // one has
	stale   bool // one still answers with an older version
	missing bool // one that must do what the version asks has not
	alone   bool // no member is known: there is always one
}

// Assess says where w stands on members, each of whom is given once, by what they
// have said. quiet is that of [Judge].
func Assess(w Wanted, members []Member, facts Facts, quiet bool) Assessment {
	s := choose(w, members, facts)
	a := Assessment{Asked: s.asked, Desired: s.fit, alone: len(members) == 0}
	if w.Goal != Remove && s.fit < s.asked || s.fit == 0 {
		a.Pending = s.pending(w)
	}
	for _, m := range members {
		f := facts.of(m)
		p := Judge(w.Goal, w.Version, m, f, quiet)
		p.Must = s.must[m.Peer]
		a.add(w, p, f)
	}
	a.Outcome = a.outcome(w, quiet)
	return a
}

func (f Facts) of(m Member) *api.WorkloadFact {
	if have, ok := f.Of(m.PeerRecord); ok {
		return &have
	}
	return nil
}

// add counts where the version stands on one member.
func (a *Assessment) add(w Wanted, p Progress, f *api.WorkloadFact) {
	a.failed = a.failed || p.Outcome == Failed
	a.stale = a.stale || p.Serving != 0 && !p.Gone
	a.missing = a.missing || p.Must && p.Outcome != Done
	if p.Outcome == Done && (!p.Gone || p.Must) {
		a.reached++
	}
	if f != nil && !p.Gone && Runs(*f) {
		a.Running++
		if f.Intent == w.Digest && f.State.Reached() {
			a.Updated++
		}
	}
	if p.Must || p.State != "" && p.Outcome != Idle || p.Serving != 0 {
		a.Members = append(a.Members, p)
	}
}

// Runs reports whether some version runs or answers by what a member says, or has ended
// well.
func Runs(f api.WorkloadFact) bool {
	return f.Answers() || f.State == api.StateExited || f.State == api.StateUnhealthy
}

// outcome sums the members up.
func (a *Assessment) outcome(w Wanted, quiet bool) Outcome {
	switch {
	case a.failed:
		return Failed
	case a.stale:
		return Waiting
	case w.Goal != Run:
		return a.ended(w, quiet)
	case w.Work.Replicas > 0 && a.reached == w.Work.Replicas:
		return Done
	case a.Desired < a.Asked || a.Desired == 0:
		return Waiting
	case w.Work.Replicas == 0 && !a.missing:
		return Done
	}
	return Waiting
}

// ended is whether all is ended that is to end. Where a program need not run anywhere,
// it need not be found anywhere either.
func (a *Assessment) ended(w Wanted, quiet bool) Outcome {
	switch {
	case a.Desired == 0 && (!quiet || a.alone), a.missing, w.Work.Replicas > 0 && a.reached < a.Desired:
		return Waiting
	}
	return Done
}

// selection is who can do what a version asks.
type selection struct {
	must  map[api.PeerID]bool // they have to; of a number of replicas nobody in particular
	asked int                 // how many shall
	fit   int                 // how many of them there are
	unfit []unfit             // members that can not
	waits []api.PeerID        // that have the state of it, and cannot run it now
}

// choose goes by what members go by themselves, and leaves out those that have refused.
// Which of those that can run it do is theirs to decide, by all workloads there are.
func choose(w Wanted, members []Member, facts Facts) selection {
	if w.Goal == Remove {
		return reachable(w, members, facts)
	}
	s := selection{must: map[api.PeerID]bool{}, asked: w.Work.Replicas}
	known := map[api.PeerID]Member{}
	var placed []placement.Member
	for _, m := range members {
		known[m.Peer] = m
		placed = append(placed, m.Placed())
		if w.Work.Replicas == 0 && !m.Drained && w.Work.Target.Matches(m.Peer, m.Roles) {
			s.asked++
		}
	}
	r := placement.Place(w.Work, placed)
	for _, p := range r.In {
		if w.refused(facts.of(known[p])) {
			s.unfit = append(s.unfit, unfit{known[p], "it has refused"}) // it says itself why
			continue
		}
		s.fit = min(s.fit+1, s.asked)
		s.must[p] = w.Work.Replicas == 0
	}
	for _, o := range r.Out {
		s.unfit = append(s.unfit, unfit{known[o.Peer], o.Why})
	}
	if s.waits = placement.Waits(w.Work, r); len(s.waits) > 0 {
		s.fit = min(s.fit, s.asked-len(s.waits))
	}
	slices.SortFunc(s.unfit, func(a, b unfit) int { return ComparePeers(a.PeerRecord, b.PeerRecord) })
	return s
}

// Chosen are the members that shall run w, ranked as by [placement.PlaceAll]: the first
// ones that have not refused.
func Chosen(w Wanted, rank placement.Ranking, facts Facts) map[api.PeerID]bool {
	out := map[api.PeerID]bool{}
	for _, p := range rank.In {
		if w.Work.Replicas > 0 && len(out) == w.Work.Replicas {
			break
		}
		if f, ok := facts[p]; !ok || !w.refused(&f) {
			out[p] = true
		}
	}
	return out
}

// refused reports whether a member has said that it cannot take w.
func (w Wanted) refused(f *api.WorkloadFact) bool {
	return f != nil && !w.Newer(version(f)) && f.State == api.StateRefused
}

// reachable are the members on which something of w may be, and that can remove it.
func reachable(w Wanted, members []Member, facts Facts) selection {
	s := selection{must: map[api.PeerID]bool{}}
	for _, m := range members {
		_, has := facts.Of(m.PeerRecord)
		switch {
		case m.IsDown(api.Runnerd):
			s.unfit = append(s.unfit, unfit{m, placement.RunnerDownText})
		case has || w.Work.Target.Matches(m.Peer, m.Roles):
			s.must[m.Peer] = true
		default:
			s.unfit = append(s.unfit, unfit{Member: m})
		}
	}
	s.asked, s.fit = len(s.must), len(s.must)
	return s
}
