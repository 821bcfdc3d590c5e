// Package disk asks how much room is left, so that a write which would fill the
// disk is refused before it starts. The bus suffers most from a full disk, hence
// it keeps the last reserve and bulk data gives way first.
package disk

import (
	"errors"
	"fmt"
)

// Reserves, in bytes, that a writer leaves free.
const (
	ReserveBulk  = 48 << 20 // blobs, compiled modules
	ReserveState = 16 << 20 // intents, keys, configuration
)

// ErrFull says that a write would eat into the reserve.
var ErrFull = errors.New("disk full")

// Room returns [ErrFull] if writing n bytes under dir would leave less than
// reserve bytes free there.
func Room(dir string, n, reserve int64) error {
	free, err := Free(dir)
	if err != nil {
		return fmt.Errorf("look at free space of %s: %w", dir, err)
	}
	if missing := n + reserve - free; missing > 0 {
		return fmt.Errorf("%w: %s has %d MiB left and needs %d MiB more (%d MiB are kept in reserve): free some space there",
			ErrFull, dir, free>>20, missing>>20+1, reserve>>20)
	}
	return nil
}

// IsFull reports whether err is [ErrFull], or what the OS says when a write found
// no room: another writer may take the last of it after [Room] has looked.
func IsFull(err error) bool { return errors.Is(err, ErrFull) || isFull(err) }
