//go:build !linux

package native

// Listens is told on Linux alone: [ErrPorts].
func (e *Execution) Listens(int) (bool, error) { return false, ErrPorts }
