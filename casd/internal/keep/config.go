package keep

import "time"

// Config says how patient a [Keeper] is.
type Config struct {
	Dir string // where it remembers things; it is made if need be

	Patience time.Duration // how long a member that is not there goes on to be a keeper
	Quiet    time.Duration // how long nothing has to change among members before anything follows from that …
	Unquiet  time.Duration // … unless something has changed all the time for so long
	Wait     time.Duration // how long meshd is asked to hold a question until there is news
	Ask      time.Duration // how long other members have to answer

	AtOnce    int           // blobs fetched side by side
	Retry     time.Duration // after a fetch that failed, twice as long each time …
	RetryMost time.Duration // … up to this
	Look      time.Duration // how often to look whether what should be here still is

	CheckEach  time.Duration // least time between two questions of who has a blob
	CheckFirst time.Duration // how long after it is here, or its keepers are others, others are asked
	CheckPoor  time.Duration // how often where too few have it
	CheckGood  time.Duration // how often else
}

// DefaultConfig is what casd runs with.
func DefaultConfig(dir string) Config {
	return Config{
		Dir:      dir,
		Patience: 30 * time.Second, Quiet: time.Second, Unquiet: 5 * time.Second, Wait: 50 * time.Second, Ask: 3 * time.Second,
		AtOnce: 2, Retry: 2 * time.Second, RetryMost: 10 * time.Minute, Look: 5 * time.Minute,
		CheckEach: 200 * time.Millisecond, CheckFirst: 5 * time.Second, CheckPoor: time.Minute, CheckGood: time.Hour,
	}
}
