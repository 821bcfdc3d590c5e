package busserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/nats-io/nkeys"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// userKey returns the public key with which d logs in. Its seed stays in the home:
// a client that is shown a new key after a restart would close for good.
func userKey(h paths.Home, d api.Daemon) (string, error) {
	path := h.BusSeed(d)
	seed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return createKey(path)
	}
	if err != nil {
		return "", fmt.Errorf("read bus key: %w", err)
	}
	kp, err := nkeys.FromSeed(seed)
	if err != nil {
		return "", fmt.Errorf("read bus key %s: %w: remove it and run realm up again", path, err)
	}
	return kp.PublicKey()
}

func createKey(path string) (string, error) {
	kp, err := nkeys.CreateUser()
	if err != nil {
		return "", fmt.Errorf("create bus key: %w", err)
	}
	seed, err := kp.Seed()
	if err != nil {
		return "", fmt.Errorf("create bus key: %w", err)
	}
	if err := atomicfile.Write(path, seed, 0o600); err != nil {
		return "", fmt.Errorf("create bus key: %w", err)
	}
	return kp.PublicKey()
}
