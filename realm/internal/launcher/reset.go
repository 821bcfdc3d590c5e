package launcher

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// Reset takes the node of h out of its realm: whom it follows, its membership, and
// what the realm has signed. What stays are its key, blobs, logs and settings; with
// purge the settings alone. A node that is up is [ErrAlreadyUp]. The realm is not
// told: its members see the node go.
func Reset(ctx context.Context, h paths.Home, purge bool) error {
	lock, err := hold(ctx, h)
	if err != nil {
		return err
	}
	defer lock.Release()
	if purge {
		return h.Purge()
	}
	// The pin last: a reset that was cut short is done again, and until then the node
	// belongs to nobody else.
	for _, path := range []string{h.Bus(), h.State(api.Meshd), h.State(api.Runnerd), h.EnrollToken(), h.Proof(), h.Pin()} {
		if err := os.RemoveAll(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("reset %s: %w", h.Root(), err)
		}
	}
	return nil
}
