//go:build !testclock

package clock

import "time"

// machine is the clock of the machine.
func machine() func() time.Time { return time.Now }
