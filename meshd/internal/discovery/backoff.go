package discovery

import (
	"math/rand/v2"
	"time"
)

// Back-off between attempts at one member.
const (
	backoffFirst     = 500 * time.Millisecond
	backoffBootstrap = 15 * time.Second // at most, for a member of the settings
	backoffLearnt    = time.Minute      // at most, for the others
	backoffDoubted   = 10 * time.Minute // at most, for one that was often tried and never reached
)

// backoff is how long to wait after so many failed attempts in a row: twice as
// long each time up to most, give or take a quarter, so that nodes that lost the
// same member do not return in step.
func backoff(failed int, most time.Duration) time.Duration {
	d := most
	if failed < 16 {
		d = min(backoffFirst<<failed, most)
	}
	return d*3/4 + rand.N(d/2+1)
}
