package reconcile

import (
	"fmt"
	"time"

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
		replicas := s.replicas(l)
		l.verdict = s.cautious(l, s.patient(l, s.verdict(l, s.Self, replicas)), replicas[s.Self])
		w.Duty, w.Why, w.Unfit = l.verdict.Duty, l.verdict.Why, l.verdict.Rank == 0
		w.Last = s.lastGood(l)
	}
	if w.Duty == api.DutyNone {
		l.kept = keptNo // nothing will be left of it
	}
	if l.told && !l.renew && w.Same(l.shown) {
		return w, false
	}
	l.shown, l.told, l.renew = w, true, false
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
		if len(l.rank.In) == 0 { // nobody is there whom it could wait for
			v.Duty, v.Meanwhile = api.DutyNone, ""
		}
	}
	return v
}

// hold is a verdict that is not acted on before its time.
type hold struct {
	load  *load
	until time.Time
}

// patient returns what to act on now, where v is the verdict.
func (s *state) patient(l *load, v placement.Verdict) placement.Verdict {
	act, until := l.patience.Act(v, l.wanted.Digest, s.Now())
	if !until.Equal(l.until) {
		l.until = until
		if !until.IsZero() {
			s.held = append(s.held, hold{l, until})
		}
	}
	if act.Duty != v.Duty {
		act.Why += "; it waits a moment, in case that changes"
	}
	return act
}

// cautious returns v, unless it would start a replica because of what is not known
// yet: of a member that is up only for all that is known, neither tags nor capacity are,
// for [Grace] at most.
func (s *state) cautious(l *load, v placement.Verdict, mine placement.Replica) placement.Verdict {
	if v.Duty != api.DutyRun || l.asks.Replicas == 0 || l.own != nil || mine.Kept || s.members.unheard == "" {
		return v
	}
	return placement.Verdict{Duty: api.DutyNone, Rank: v.Rank, Why: fmt.Sprintf("it waits for what …%s has to say", s.members.unheard.Short())}
}

// release has those decided on whose verdict has stood for long enough.
func (s *state) release(now time.Time) {
	n := 0
	for ; n < len(s.held) && !now.Before(s.held[n].until); n++ {
		if h := s.held[n]; h.load.until.Equal(h.until) {
			s.touch(h.load)
		}
	}
	if s.held = s.held[n:]; len(s.held) == 0 {
		s.held = nil
	}
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
		if s.heeds(p) {
			out[p] = placement.Replica{Phase: f.phase(l.wanted.Digest), Good: f.good() && s.members.isLive[p]}
		}
	}
	mine := l.mine()
	kept := !mine.good() && s.isKept(l)
	out[s.Self] = placement.Replica{Phase: mine.phase(l.wanted.Digest), Good: mine.good() || kept && mine.early(), Kept: kept}
	return out
}

// isKept reports whether a version of l comes back here that does not run now.
// Functions wait for nobody: it makes no difference to them.
func (s *state) isKept(l *load) bool {
	if l.kept == keptUnknown {
		l.kept = keptNo
		if l.ref.Kind == api.KindComponent && s.Kept(l.ref) {
			l.kept = keptYes
		}
	}
	return l.kept == keptYes
}
