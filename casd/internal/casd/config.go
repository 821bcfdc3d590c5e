package casd

import (
	"time"

	"github.com/realm-mesh/realm/casd/internal/fetch"
)

// Config is what a person does not set: how patient the daemon is.
type Config struct {
	Fetch fetch.Config
	// Idle is how long the other end of a connection may neither send nor take
	// bytes of a blob.
	Idle time.Duration
	// Ask is how long meshd has to say who has a blob.
	Ask time.Duration
	// Announce is how often meshd is told of all blobs: it keeps no list over its
	// restarts, and what the mesh knows of providers wears off.
	Announce time.Duration
}

// DefaultConfig is what the command runs with.
func DefaultConfig() Config {
	return Config{Fetch: fetch.DefaultConfig(), Idle: time.Minute, Ask: 10 * time.Second, Announce: 10 * time.Minute}
}
