package workload

import "github.com/realm-mesh/realm/api"

// Admission says what this node can take, as it is now.
type Admission interface {
	// Admit takes of the node what w needs for as long as it is here, until release is
	// called (once or more often). An error says for people why this node cannot take w
	// and what to do; others may, so it becomes [api.StateRefused].
	//
	// While one version takes the place of another, both are admitted under the same
	// ref: they count as much as the larger of them.
	Admit(ref api.Ref, w api.Workload) (release func(), err error)
}

// Has reports whether a version of ref runs here, or was the last good one and would
// be brought back after a start.
func (s *Set) Has(ref api.Ref) bool {
	s.mu.RLock()
	a := s.actors[ref]
	s.mu.RUnlock()
	return a != nil && a.here() || s.Kept.Has(ref)
}
