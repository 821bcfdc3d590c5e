//go:build !linux && !darwin

package engine

import "time"

var processBegin = time.Now()

// threadTime is the time that has passed: the clocks of threads here tick every 16 ms,
// which is many calls. Guests that sleep have the watch stopped.
func threadTime() time.Duration { return time.Since(processBegin) }
