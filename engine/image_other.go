//go:build !linux

package engine

import (
	"os"

	"github.com/realm-mesh/realm/engine/meter"
)

// Here segments are copied.

func newFile(_, _ uint64, _ []meter.Segment) *os.File { return nil }

func replace([]byte, *os.File) bool { return false }
