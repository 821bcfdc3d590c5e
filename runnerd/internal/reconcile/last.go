package reconcile

import (
	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// lastGood is the version that others run, or did before they were lost, while the
// wanted one is ready nowhere, for a node that has none of its own to go on with. Once
// there is one, it stays until another version is wanted, or somebody's say is lost.
func (s *state) lastGood(l *load) *intent.Signed {
	if l.renew {
		l.last = nil
	}
	duty := l.verdict.Duty
	if l.last != nil || duty != api.DutyRun && duty != api.DutyHold || l.asks.stopped || l.mine().good() || s.isKept(l) {
		return l.last
	}
	seq := uint64(0)
	for p, f := range l.others {
		switch {
		case !s.heeds(p):
		case f.phase(l.wanted.Digest) == placement.PhaseReady:
			return nil
		case f.answers() < l.wanted.Seq:
			seq = max(seq, f.answers())
		}
	}
	if seq == 0 && l.served < l.wanted.Seq {
		seq = l.served
	}
	if seq == 0 {
		return nil
	}
	if v, ok := s.Realm.Version(l.ref, seq); ok {
		l.last = &v
	}
	return l.last
}
