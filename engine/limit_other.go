//go:build !linux && !darwin

package engine

// limitSelf has nothing to set: this operating system knows no such limits for a
// process itself. The parent's time limit holds, and a module that takes all
// memory ends the child.
func limitSelf() error { return nil }
