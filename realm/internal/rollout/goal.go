package rollout

import (
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

// Goal is the state that a version asks for.
type Goal int

// The goals.
const (
	Run    Goal = iota // it runs, or has ended well; a function answers
	Stop               // it is kept, but does not run
	Remove             // nothing of it is left
)

// reached reports whether s is where g ends.
func (g Goal) reached(s api.State) bool {
	switch g {
	case Stop:
		return s == api.StateStopped
	case Remove:
		return s == api.StateRemoved
	default:
		return s.Reached()
	}
}

// crossed reports whether s is where another goal ends. That a program is gone from a
// member says nothing: it may be for others.
func (g Goal) crossed(s api.State) bool {
	return g != Run && Run.reached(s) || g != Stop && Stop.reached(s)
}

// Wanted is what a version asks of the members.
type Wanted struct {
	intent.Version
	Goal Goal
	Work placement.Workload
	// Volumes are those that it keeps its state in.
	Volumes []api.Name
}

// On is w where volumes are where holders says.
func (w Wanted) On(holders func(api.Name) []api.PeerID) Wanted {
	w.Work.Holders = nil
	for _, v := range w.Volumes {
		w.Work.Holders = append(w.Work.Holders, holders(v)...)
	}
	slices.Sort(w.Work.Holders)
	w.Work.Holders = slices.Compact(w.Work.Holders)
	return w
}

// WantedOf is what s asks for.
func WantedOf(s intent.Signed) (Wanted, error) {
	w := Wanted{Version: s.Version(), Goal: Remove, Work: placement.Workload{Ref: s.Ref, Target: s.Target}}
	if s.Tombstone {
		return w, nil
	}
	body, err := s.Workload()
	if err != nil {
		return Wanted{}, err
	}
	w.Goal, w.Work = Run, placement.Of(s.Intent, body)
	if !body.Started() {
		w.Goal = Stop
	}
	if c, ok := body.(*api.Component); ok {
		w.Volumes = c.Volumes()
	}
	return w, nil
}
