//go:build !linux

package native

import (
	"errors"
	"os"
)

// Clean kills and removes what an execution has left whose shim is gone.
func (s State) Clean() error {
	if s.Init > 1 {
		KillGroup(s.Init)
	}
	var errs []error
	for _, dir := range s.Temporary {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}
