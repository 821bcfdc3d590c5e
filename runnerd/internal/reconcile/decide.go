package reconcile

import (
	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
	"github.com/realm-mesh/realm/runnerd/internal/workload"
)

// decide concludes what this node owes l, and reports whether that is to be applied.
func (s *state) decide(l *load) (workload.Want, bool) {
	l.dirty = false
	switch {
	case l.wanted.Seq == 0:
		s.drop(l)
		return workload.Want{}, false
	case !l.gone() && !l.ranked:
		return workload.Want{}, false // place has it decided on again
	}
	w := workload.Want{Signed: l.wanted.Signed, Lost: l.wanted.Lost, News: l.wanted.News, Duty: api.DutyNone}
	l.verdict = placement.Verdict{Duty: api.DutyNone}
	if !l.gone() {
		l.verdict = s.verdict(l, s.Self, s.replicas(l))
		w.Duty, w.Why, w.Unfit = l.verdict.Duty, l.verdict.Why, l.verdict.Rank == 0
		w.Last = s.lastGood(l)
	}
	if w.Duty == api.DutyNone {
		l.kept = keptNo // nothing will be left of it
	}
	if l.told && !l.again && w.Same(l.shown) {
		return w, false
	}
	l.shown, l.told, l.again = w, true, false
	l.wanted.News = false
	return w, true
}

// drop forgets l, which nobody asks for here, if nobody speaks of it any more.
func (s *state) drop(l *load) {
	if len(l.others) == 0 && l.own == nil {
		delete(s.loads, l.ref)
	}
}

// verdict is what p owes l, where replicas are as given.
func (s *state) verdict(l *load, p api.PeerID, replicas map[api.PeerID]placement.Replica) placement.Verdict {
	if l.asks.stopped {
		replicas = nil // nothing is started, so nobody waits for anybody
	}
	v := placement.Decide(p, l.asks.Workload, l.rank, replicas, s.rollout(l))
	if v.Rank == 0 && s.untargeted(l, p) {
		v.Why = "its target does not name the member: " + v.Why
	}
	return v
}

// untargeted reports whether the target of l leaves out p, which is up.
func (s *state) untargeted(l *load, p api.PeerID) bool {
	for _, m := range s.members.up {
		if m.Peer == p {
			return !l.asks.Target.Matches(p, m.Roles)
		}
	}
	return false
}

// rollout is how a version of l takes the place of another.
func (s *state) rollout(l *load) placement.Rollout {
	if l.ref.Kind != api.KindComponent {
		return placement.Rollout{Most: len(s.members.up)}
	}
	return placement.Rollout{Most: l.asks.update.MaxUnavailable.Of(s.desired(l)), Strict: l.asks.update.Order == api.StopFirst}
}

// replicas is what the members that are up tell of l.
func (s *state) replicas(l *load) map[api.PeerID]placement.Replica {
	out := make(map[api.PeerID]placement.Replica, len(l.others)+1)
	for p, f := range l.others {
		if s.members.isUp[p] {
			out[p] = placement.Replica{Phase: f.phase(l.wanted.Digest), Good: f.good()}
		}
	}
	mine := l.mine()
	out[s.Self] = placement.Replica{Phase: mine.phase(l.wanted.Digest), Good: mine.good() || mine.early() && s.isKept(l)}
	return out
}

// isKept reports whether a version of l goes on here of which no fact tells yet.
// Functions go on without waiting for anybody: it makes no difference to them.
func (s *state) isKept(l *load) bool {
	if l.kept == keptUnknown {
		l.kept = keptNo
		if l.ref.Kind == api.KindComponent && s.Kept(l.ref) {
			l.kept = keptYes
		}
	}
	return l.kept == keptYes
}
