package keep

import (
	"github.com/realm-mesh/realm/api"
)

// runs is what this node runs, as its runnerd says, and the blobs of that. It is used
// under the keeper's lock.
type runs struct {
	facts map[api.Ref]api.WorkloadFact
	fresh map[api.Ref]api.WorkloadFact // not nil: the watch has begun anew and is not complete
	// named are the blobs of versions that run. They stay known for as long as those
	// run, also when the realm needs them no more.
	named map[version]api.Digest
	blobs map[api.Digest]struct{}
}

func newRuns() *runs {
	return &runs{facts: map[api.Ref]api.WorkloadFact{}, named: map[version]api.Digest{}, blobs: map[api.Digest]struct{}{}}
}

// begin notes that the watch begins anew: what was known stays until it is complete.
func (r *runs) begin() { r.fresh = map[api.Ref]api.WorkloadFact{} }

// complete notes that all has been told that there is.
func (r *runs) complete() {
	if r.fresh != nil {
		r.facts, r.fresh = r.fresh, nil
	}
}

func (r *runs) told(f api.WorkloadFact) {
	if r.fresh != nil {
		r.fresh[f.Ref] = f
		return
	}
	r.facts[f.Ref] = f
}

func (r *runs) gone(ref api.Ref) {
	delete(r.facts, ref)
	delete(r.fresh, ref)
}

// resolve finds the blobs by what the realm needs.
func (r *runs) resolve(n *needs) {
	wanted := map[version]struct{}{}
	for ref, f := range r.facts {
		if f.Serving > 0 {
			wanted[version{ref, f.Serving}] = struct{}{}
		}
		if wants(f.State) {
			wanted[version{ref, f.Seq}] = struct{}{}
		}
	}
	found := n.find(wanted)
	for v, blob := range r.named {
		if _, still := wanted[v]; still && found[v].IsZero() {
			found[v] = blob
		}
	}
	r.named = found
	clear(r.blobs)
	for _, blob := range found {
		r.blobs[blob] = struct{}{}
	}
}

// wants reports whether a workload in this state wants its program to be here.
func wants(s api.State) bool {
	switch s {
	case api.StateFailed, api.StateRefused, api.StateStopped, api.StateRemoved:
		return false
	}
	return true
}
