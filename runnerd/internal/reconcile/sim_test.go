package reconcile

import (
	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/wanted"
)

// changed says that members may be others.
var changed = wanted.Change{Members: true}

// looksAgain has s look at what it refuses, or would by now.
func (s *sim) looksAgain() {
	if !s.up {
		return
	}
	for _, ref := range sorted(s.jobs) {
		j := s.jobs[ref]
		if !s.refuses && j.refused == j.want.Digest {
			j.refused = api.Digest{}
			s.step(j)
		}
	}
}

// apply takes what the Reconciler has concluded meanwhile.
func (s *sim) apply() {
	for s.up {
		select {
		case w := <-s.applied:
			j := s.jobs[w.Ref]
			if j == nil {
				j = &job{}
				s.jobs[w.Ref] = j
			}
			j.want = w
			s.step(j)
		default:
			return
		}
	}
}

// step does what is next for a workload, as package workload says that it does.
func (s *sim) step(j *job) {
	w := j.want
	if j.trying != w.Digest {
		j.trying = api.Digest{}
	}
	if w.Tombstone || w.Lost != "" || w.Duty == api.DutyNone {
		s.givesUp(j)
		if j.refused == w.Digest && !w.Unfit && !w.Tombstone {
			s.tell(j, api.StateRefused) // it stands
			return
		}
		j.refused = api.Digest{}
		s.tell(j, api.StateRemoved)
		return
	}
	if j.running.Seq == 0 && s.revives(j) {
		return
	}
	switch {
	case j.running.Digest == w.Digest:
		j.refused = api.Digest{}
		s.tell(j, api.StateRunning)
	case j.refused == w.Digest:
		s.tell(j, api.StateRefused)
	case w.Duty == api.DutyKeep && j.running.Seq != 0:
		s.tell(j, api.StatePending)
	case w.Duty == api.DutyKeep:
		s.tell(j, api.StateRemoved)
	case s.refuses:
		j.refused = w.Digest
		s.tell(j, api.StateRefused)
	case j.failed == w.Digest:
		s.tell(j, api.StateFailed)
	case j.trying == w.Digest: // it is on its way
	case w.Duty == api.DutyHold && j.running.Seq != 0:
		s.tell(j, api.StatePrepared)
	default:
		s.tries(j)
	}
}

// revives has the version that was kept come up, or that others run; false: there is
// none, or it is on its way.
func (s *sim) revives(j *job) bool {
	last := s.keeps(j.want.Ref)
	if last.Seq == 0 && j.want.Last != nil && !s.refuses && j.want.Duty != api.DutyKeep {
		last = *j.want.Last
	}
	if last.Seq == 0 || s.bad[last.Digest] || last.Digest == j.trying {
		return false
	}
	s.tell(j, []api.State{api.StateFetching, api.StateStarting}[s.rng.IntN(2)])
	want := j.want.Digest
	s.after(s.upTo(bringUp), func() {
		if j.running.Seq == 0 && j.want.Digest == want && j.want.Duty != api.DutyNone {
			s.runs(j, last)
			s.step(j)
		}
	})
	return true
}

// tries starts the wanted version beside what runs.
func (s *sim) tries(j *job) {
	w := j.want
	j.trying = w.Digest
	s.tell(j, api.StateStarting)
	s.after(s.upTo(bringUp), func() {
		if j.trying != w.Digest {
			return
		}
		j.trying = api.Digest{}
		if s.bad[w.Digest] {
			j.failed = w.Digest
		} else {
			s.runs(j, w.Signed)
		}
		s.step(j)
	})
}

// tell makes the fact, and sends it to all.
func (s *sim) tell(j *job, at api.State) {
	w := j.want
	f := api.WorkloadFact{Ref: w.Ref, Peer: s.id, Intent: w.Digest, Seq: w.Seq, State: at}
	if j.running.Seq != 0 && at != api.StateRunning {
		f.Serving = j.running.Seq
	}
	if replicaOf(&f) == replicaOf(&j.fact) {
		return
	}
	j.fact = f
	s.rec.Own(f)
	for _, o := range s.sims {
		if o != s && o.up && !s.down {
			s.send(o, func() { o.rec.Fact(f) })
		}
	}
}
