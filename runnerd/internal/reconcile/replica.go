package reconcile

import (
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// crashes is how often a command has to have ended badly, so that its version counts
// as one that does not come up.
const crashes = 3

// replica is what a member has said last of a workload, as far as it matters to
// others.
type replica struct {
	intent   api.Digest
	seq      uint64
	serving  uint64
	state    api.State
	restarts int
}

func replicaOf(f *api.WorkloadFact) replica {
	return replica{intent: f.Intent, seq: f.Seq, serving: f.Serving, state: f.State, restarts: f.Restarts}
}

// good reports whether some version runs or answers there, or has ended well.
func (r replica) good() bool {
	return r.state == api.StateRunning || r.state == api.StateExited || r.serving != 0
}

// early reports whether the member may yet bring back what it has kept: it has not come
// far enough to say.
func (r replica) early() bool {
	switch r.state {
	case "", api.StatePending, api.StateFetching, api.StateCompiling, api.StatePrepared, api.StateStarting:
		return true
	}
	return false
}

// phase is where the member stands with the version wanted.
func (r replica) phase(wanted api.Digest) placement.Phase {
	if r.intent != wanted {
		return placement.PhaseNone
	}
	switch r.state {
	case api.StatePrepared:
		return placement.PhasePrepared
	case api.StateStarting, api.StateUnhealthy:
		return placement.PhaseStarting
	case api.StateBackoff:
		if r.restarts < crashes {
			return placement.PhaseStarting
		}
		return placement.PhaseFailed
	case api.StateRunning, api.StateExited:
		return placement.PhaseReady
	case api.StateFailed:
		return placement.PhaseFailed
	case api.StateRefused:
		return placement.PhaseRefused
	}
	return placement.PhaseNone
}

// answers is the number of the version that runs or answers there; 0: none does.
func (r replica) answers() uint64 {
	switch {
	case r.serving != 0:
		return r.serving
	case r.good():
		return r.seq
	}
	return 0
}

// remote is the replica of another member, and whether the bucket still says so.
type remote struct {
	replica
	epoch uint
	gone  time.Time // zero: it does
}

// fade is a fact that stops to count.
type fade struct {
	load *load
	peer api.PeerID
	gone time.Time
}

// fact takes note of what another member says.
func (s *state) fact(f api.WorkloadFact) {
	if f.Peer == s.Self {
		return // it is known already, and better
	}
	l := s.load(f.Ref)
	is := replicaOf(&f)
	l.served = max(l.served, is.answers())
	was, had := l.others[f.Peer]
	l.others[f.Peer] = remote{replica: is, epoch: s.epoch[Facts]}
	if !had || was.replica != is {
		s.touch(l)
	}
}

// heeds reports whether what p, another member, has said of its replicas counts.
func (s *state) heeds(p api.PeerID) bool { return s.members.isUp[p] && !s.members.isDown[p] }

// factGone takes note that the bucket does not say any more what p has said. It counts
// for a while, unless the member has taken it back because its runnerd is down.
func (s *state) factGone(ref api.Ref, p api.PeerID, now time.Time) {
	l := s.loads[ref]
	if l == nil {
		return
	}
	f, ok := l.others[p]
	if r := s.members.records[p]; ok && r != nil && r.IsDown(api.Runnerd) {
		delete(l.others, p)
		s.touch(l)
	} else if ok && f.gone.IsZero() {
		f.gone = now
		l.others[p] = f
		s.fading = append(s.fading, fade{l, p, now})
	}
}

// sweep has those facts go that were not told of in this epoch.
func (s *state) sweep(now time.Time) {
	for ref, l := range s.loads {
		for p, f := range l.others {
			if f.epoch != s.epoch[Facts] {
				s.factGone(ref, p, now)
			}
		}
	}
}

// forget drops what members have taken back whose runnerd is down, where that was known
// before the reason: it is not to count again when they are back.
func (s *state) forget() {
	s.fading = slices.DeleteFunc(s.fading, func(x fade) bool {
		f, ok := x.load.others[x.peer]
		if !s.members.isDown[x.peer] || !ok || !f.gone.Equal(x.gone) {
			return false
		}
		delete(x.load.others, x.peer)
		return true
	})
}

// expire drops the facts that count no more.
func (s *state) expire(now time.Time) {
	n := 0
	for ; n < len(s.fading) && now.Sub(s.fading[n].gone) >= Grace; n++ {
		x := s.fading[n]
		if f, ok := x.load.others[x.peer]; ok && f.gone.Equal(x.gone) {
			delete(x.load.others, x.peer)
			s.touch(x.load)
		}
	}
	if s.fading = s.fading[n:]; len(s.fading) == 0 {
		s.fading = nil
	}
}
