package paths

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Remove removes the home and all that is in it.
func (h Home) Remove() error {
	if err := errors.Join(os.RemoveAll(h.root), os.RemoveAll(h.run)); err != nil {
		return fmt.Errorf("remove home %s: %w", h.root, err)
	}
	return nil
}

// Purge removes all that is in the home but what its user wrote, the settings, and
// the lock, which the caller holds.
func (h Home) Purge() error {
	kept := []string{h.Config(), h.Lock(), h.Lock() + ".pid"}
	entries, err := os.ReadDir(h.root)
	for _, e := range entries {
		if path := filepath.Join(h.root, e.Name()); !slices.Contains(kept, path) {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	if err = errors.Join(err, os.RemoveAll(h.run)); err != nil {
		return fmt.Errorf("purge home %s: %w", h.root, err)
	}
	return nil
}
