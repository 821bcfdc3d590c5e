//go:build testclock

package clock

import (
	"fmt"
	"os"
	"time"
)

// EnvOffset names the environment variable that shifts the machine's clock, in
// builds for tests alone: a duration ("-48h").
const EnvOffset = "REALM_CLOCK_OFFSET"

// machine is the clock of the machine, shifted.
func machine() func() time.Time {
	var offset time.Duration
	if s := os.Getenv(EnvOffset); s != "" {
		var err error
		if offset, err = time.ParseDuration(s); err != nil {
			panic(fmt.Sprintf("%s: %v", EnvOffset, err)) // a mistake of the test's
		}
	}
	return func() time.Time { return time.Now().Add(offset) }
}
