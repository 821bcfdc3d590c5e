package jobs

import (
	"cmp"
	"errors"
	"slices"

	"github.com/realm-mesh/realm/api"
)

// Errors of [Manager.Serving].
var (
	// ErrNoService: nothing of the job is executed here.
	ErrNoService = errors.New("it is not on this node")
	// ErrNotReady: what is executed here does not listen yet, or has no ports.
	ErrNotReady = errors.New("it is not ready")
)

// Serving is an execution of a service of this node's that is ready.
type Serving struct {
	api.Exec
	Server
}

// Serving are the executions of a service on this node that may be asked, by run.
func (m *Manager) Serving(job api.Name) (out []Serving, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	here := false
	for x, o := range m.own {
		if o.rec.Job != job || o.rec.State.Ended() {
			continue
		}
		here = true
		s, ok := o.execution.(Server)
		if _, _, fenced := m.book.Fenced(x); !ok || !o.rec.Ready || fenced {
			continue
		}
		out = append(out, Serving{x, s})
	}
	switch {
	case !here:
		return nil, ErrNoService
	case len(out) == 0:
		return nil, ErrNotReady
	}
	slices.SortFunc(out, func(a, b Serving) int { return cmp.Compare(a.Run, b.Run) })
	return out, nil
}
