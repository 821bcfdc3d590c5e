//go:build !linux

package main

import "time"

// clock is the time of the wall, where threads have no clock that is the same everywhere.
func clock() time.Duration { return time.Since(began) }
