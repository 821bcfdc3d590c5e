package workload

import (
	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// Want is what is wanted of a workload: a version, or nothing any more.
type Want struct {
	intent.Signed
	Duty api.Duty // what this node owes it
	Why  string   // for people: why it owes that
	News bool     // this node sees it for the first time, not again after a start
	Lost string   // why the version, which was wanted before, is not any more; empty: it is
	// Unfit says that this node cannot run it whatever it has room for (its target names
	// others, say). Else a refusal stands although the duty is none because of it.
	Unfit bool
	// Last is a version that others run while the wanted one does not come up: this node
	// does likewise, if it has none of its own to go on with. nil: there is none.
	Last *intent.Signed
}

// Same reports whether w and o ask for the same.
func (w Want) Same(o Want) bool {
	return w.Digest == o.Digest && w.Duty == o.Duty && w.Unfit == o.Unfit && w.Lost == o.Lost &&
		digestOf(w.Last) == digestOf(o.Last) && (w.Why == o.Why || !w.tells())
}

// tells reports whether the fact about w says why it has that duty.
func (w Want) tells() bool { return w.Duty == api.DutyHold || w.Duty == api.DutyKeep }

func digestOf(s *intent.Signed) api.Digest {
	if s == nil {
		return api.Digest{}
	}
	return s.Digest
}

// gone reports whether nobody wants the workload anywhere any more.
func (w Want) gone() bool { return w.Tombstone || w.Lost != "" }

// nothing reports whether w asks that nothing of the workload is here.
func (w Want) nothing() bool { return w.gone() || w.Duty == api.DutyNone }

// starts reports whether w asks to make its version ready, now or when its turn comes.
func (w Want) starts() bool {
	return !w.gone() && (w.Duty == api.DutyRun || w.Duty == api.DutyHold)
}

// why says for people why nothing is wanted here; a tombstone speaks for itself.
func (w Want) why() string {
	switch {
	case w.Lost != "":
		return w.Lost
	case w.Tombstone:
		return ""
	}
	return w.Why
}
