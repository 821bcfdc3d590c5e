package program

import (
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/engine"
)

// Advise adds to how a guest has ended what its owner can do about it, and wraps it.
func Advise(err error) error {
	var (
		late   *engine.DeadlineError
		fuel   *engine.FuelError
		memory *engine.MemoryError
	)
	switch {
	case errors.As(err, &late):
		return fmt.Errorf("%w: make the program faster, or give it a larger --epoch-ms", err)
	case errors.As(err, &fuel):
		return fmt.Errorf("%w: have the program do less, or give it a larger --fuel", err)
	case errors.As(err, &memory):
		return fmt.Errorf("%w: have it use less, or give it a larger --memory-max-mb", err)
	}
	return err
}
