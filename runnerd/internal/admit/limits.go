package admit

import (
	"cmp"
	"fmt"

	"github.com/realm-mesh/realm/api"
)

// Bound returns w with the limits that it has on this node: those that its owner has
// given, and where there are none the node's own. An error says for people why the node
// does not give what the owner wants, and what to do.
func (n *Node) Bound(w api.Workload) (api.Workload, error) {
	var err error
	switch w := w.(type) {
	case *api.Function:
		bound := *w
		bound.Module.Limits, err = n.limits(w.Module.Limits, true)
		return &bound, err
	case *api.Component:
		bound := *w
		bound.Module.Limits, err = n.limits(w.Module.Limits, w.Interface != api.InterfaceCommand)
		return &bound, err
	}
	return w, nil
}

// limits are those of a program, which has a deadline also where nobody says so, or not.
func (n *Node) limits(l api.Limits, timed bool) (api.Limits, error) {
	memory, ok := bound(l.MemoryMaxMB, cmp.Or(n.Unsaid.MemoryMaxMB, api.DefaultMemoryMB), n.Most.MemoryMaxMB)
	if !ok {
		return l, fmt.Errorf("it may take %d MiB of memory, and this node gives at most %d to a program: "+
			"realm configure --program-memory-max-mb with more on it, or give the program a smaller --memory-max-mb", l.MemoryMaxMB, n.Most.MemoryMaxMB)
	}
	fuel, ok := bound(l.Fuel, n.Unsaid.Fuel, n.Most.Fuel)
	if !ok {
		return l, fmt.Errorf("it may use %d units of fuel, and this node gives at most %d: "+
			"realm configure --program-fuel-max with more on it, or give the program a smaller --fuel", l.Fuel, n.Most.Fuel)
	}
	unsaid := int64(0)
	if timed {
		unsaid = cmp.Or(n.Unsaid.EpochMS, api.DefaultDeadline.Milliseconds())
	}
	epoch, ok := bound(l.EpochMS, unsaid, n.Most.EpochMS)
	if !ok {
		return l, fmt.Errorf("its deadline is %d ms, and this node gives at most %d: "+
			"realm configure --program-epoch-max-ms with more on it, or give the program a smaller --epoch-ms", l.EpochMS, n.Most.EpochMS)
	}
	if l.EpochMS == 0 && !timed {
		epoch = 0 // it runs until it is stopped
	}
	return api.Limits{MemoryMaxMB: memory, Fuel: fuel, EpochMS: epoch}, nil
}

// bound is what is said, or else the smaller of unsaid and most, of which 0 is no limit;
// not ok when more is said than most.
func bound[T int | int64 | uint64](said, unsaid, most T) (v T, ok bool) {
	switch {
	case said > 0:
		return said, most == 0 || said <= most
	case most > 0 && (unsaid == 0 || unsaid > most):
		return most, true
	}
	return unsaid, true
}
