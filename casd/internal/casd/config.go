package casd

import (
	"time"

	"github.com/realm-mesh/realm/casd/internal/fetch"
)

// Config is how the daemon runs. A person sets the first few, in config.toml.
type Config struct {
	Quota    int64 // bytes that the store may grow to
	Upload   int64 // bytes of blobs a second to other members; 0: any
	Download int64 // bytes of blobs a second from other members; 0: any

	Fetch fetch.Config
	// Idle is how long the other end of a connection may neither send nor take
	// bytes of a blob.
	Idle time.Duration
	// Ask is how long meshd has to say who has a blob.
	Ask time.Duration
	// Announce is how often meshd is told of all blobs: it keeps no list over its
	// restarts, and what the mesh knows of providers wears off.
	Announce time.Duration
	// Look is how often to look whether the store has outgrown its room, or is full.
	Look time.Duration
	// Confirm is how long a writer may wait for others to confirm that they have what
	// is to make room for it.
	Confirm time.Duration

	Scrub ScrubConfig
}

// ScrubConfig is how gently the scrub goes.
type ScrubConfig struct {
	Period time.Duration // in which every chunk is read once
	Rate   int64         // bytes a second, at most
	Retry  time.Duration // between tries to mend what no member could give
	Lately time.Duration // what was used since then is mended though nobody needs it
}

// DefaultConfig is what the command runs with, but for what a person sets.
func DefaultConfig() Config {
	const day = 24 * time.Hour
	return Config{Fetch: fetch.DefaultConfig(), Idle: time.Minute, Ask: 10 * time.Second, Announce: 10 * time.Minute,
		Look: time.Minute, Confirm: 15 * time.Second,
		Scrub: ScrubConfig{Period: 7 * day, Rate: 8 << 20, Retry: time.Hour, Lately: 30 * day}}
}
