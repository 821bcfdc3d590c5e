package gatewayd

import (
	"errors"

	"golang.org/x/sys/windows"
)

// inUse reports whether err means that another program has the address.
func inUse(err error) bool { return errors.Is(err, windows.WSAEADDRINUSE) }
