package workload

import (
	"github.com/realm-mesh/realm/api"
)

// Admission says what this node can take, as it is now. Its errors say for people why
// this node cannot take something and what to do; others may, so they become
// [api.StateRefused].
type Admission interface {
	// Admit takes of the node what w needs for as long as it is here, until release is
	// called (once or more often).
	//
	// While one version takes the place of another, both are admitted under the same
	// ref: they count as much as the larger of them.
	Admit(ref api.Ref, w api.Workload) (release func(), err error)
	// Bound returns w with the limits that it has on this node.
	Bound(w api.Workload) (api.Workload, error)
}

// refusal is why this node cannot take a version that others may.
type refusal struct{ error }

func (r *refusal) Unwrap() error { return r.error }
