//go:build !linux

package scrub

// idlePriority does nothing: the pace alone is gentle.
func idlePriority() (end func()) { return func() {} }
