// Package leaktest ends the tests of packages whose goroutines take a while to end: those
// that wait for a process, which the race detector has sleep for a second at its end, and
// those of an engine that keep themselves ready for a moment.
package leaktest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const patience = 20 * time.Second

// Run runs the tests of m, and then what cleans up, and exits: with an error where
// goroutines go on.
func Run(m *testing.M, cleanup func()) {
	code := m.Run()
	cleanup()
	if code == 0 {
		if err := gone(); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines go on after the tests:", err)
			code = 1
		}
	}
	os.Exit(code)
}

func gone() (err error) {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if err = goleak.Find(); err == nil { // it looks for half a second itself
			return nil
		}
	}
	return err
}
