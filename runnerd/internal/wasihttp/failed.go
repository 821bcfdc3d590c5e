package wasihttp

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// FailedError says that a program has failed before it answered. ID is found in its log.
type FailedError struct {
	ID  string
	Err error
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("%v (failure %s, as its log has it)", e.Err, e.ID)
}

// Unwrap returns how it has failed.
func (e *FailedError) Unwrap() error { return e.Err }

// newID tells failures apart.
func newID() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // it never fails
	return hex.EncodeToString(b[:])
}
