//go:build !linux && !darwin

package engine

import "os"

// limitSelf has nothing to set: this operating system knows no such limits for a
// process itself. The parent's time limit holds, and a module that takes all
// memory ends the child.
func limitSelf() error { return nil }

// endedByOthers reports whether a child was killed, and not for one of its limits: the system
// does not tell.
func endedByOthers(*os.ProcessState) bool { return false }
