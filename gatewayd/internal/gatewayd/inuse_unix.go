//go:build unix

package gatewayd

import (
	"errors"
	"syscall"
)

// inUse reports whether err means that another program has the address.
func inUse(err error) bool { return errors.Is(err, syscall.EADDRINUSE) }
