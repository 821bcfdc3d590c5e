//go:build !linux

package confine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
)

// Probe says that nothing holds here but what every program has.
func Probe(context.Context, string) (Confinement, error) {
	why := fmt.Errorf("realm confines programs on Linux only: on %s they have the rights of the node", runtime.GOOS)
	var c Confinement
	for _, layer := range []string{NoNewPrivs, Landlock, Signals, Seccomp, Rlimits, MountSpace, PIDSpace, MemoryCap, PIDsCap, CPUCap} {
		c.set(layer, why, "")
	}
	if os.Geteuid() == 0 {
		c.set(OwnUser, why, "")
	}
	if runtime.GOOS == "windows" {
		c.set(Session, errors.New("there are no process groups on Windows that end together: what a program starts may outlive it"), "")
	} else {
		c.set(Session, nil, "")
	}
	return c, nil
}

// Init is for Linux alone.
func Init() int { return 1 }

// Lease is for Linux alone.
type Lease struct{}
