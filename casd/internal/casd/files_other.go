//go:build !unix

package casd

import (
	"fmt"
	"os"
)

// use is what a file is wanted for.
type use int

const (
	forReading use = iota
	forWriting
)

// usable refuses all: none can come here.
func usable(*os.File, use) error { return fmt.Errorf("%w on this system", errFile) }
