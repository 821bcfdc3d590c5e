package keyagent

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/realm-mesh/realm/api"
)

// handover is what an agent reads from its standard input.
type handover struct {
	Seed    []byte    `json:"seed"` // of the Ed25519 key
	KeyFile string    `json:"key_file"`
	Until   time.Time `json:"until"`
}

const maxHandover = 16 << 10

// Validate implements [api.Validator].
func (h *handover) Validate() error {
	switch {
	case len(h.Seed) != ed25519.SeedSize:
		return fmt.Errorf("seed of %d bytes: want %d", len(h.Seed), ed25519.SeedSize)
	case h.KeyFile == "":
		return errors.New("key file is missing")
	case h.Until.IsZero():
		return errors.New("until is missing")
	}
	return nil
}

func (h *handover) key() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(h.Seed) }

func readHandover(in io.Reader) (h handover, err error) {
	b, err := api.ReadAll(in, maxHandover)
	if err != nil {
		return handover{}, err
	}
	defer clear(b)
	err = api.Decode(b, maxHandover, &h)
	return h, err
}

// reply is what an agent writes to its standard output when it is ready, or fails.
type reply struct {
	Error string `json:"error,omitempty"`
}

// Validate implements [api.Validator].
func (r *reply) Validate() error {
	if r.Error != "" {
		return errors.New(r.Error)
	}
	return nil
}
