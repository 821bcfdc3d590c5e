package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

func TestRoom(t *testing.T) {
	dir := t.TempDir()
	free, err := Free(dir)
	if err != nil || free <= 0 {
		t.Fatalf("free: %d, %v", free, err)
	}
	if err := Room(dir, 1, 0); err != nil {
		t.Errorf("one byte: %v", err)
	}
	// Others write to this disk meanwhile: stay clear of the edge by a factor.
	for _, want := range [][2]int64{{4 * free, 0}, {0, 4 * free}, {2 * free, 2 * free}} {
		err := Room(dir, want[0], want[1])
		if !errors.Is(err, ErrFull) || !IsFull(err) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "free some space") {
			t.Errorf("%d bytes and a reserve of %d: %v", want[0], want[1], err)
		}
	}
	if err := Room(filepath.Join(dir, "none"), 1, 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

func TestSize(t *testing.T) {
	dir := t.TempDir()
	size, err := Size(dir)
	if err != nil {
		t.Fatal(err)
	}
	if free, err := Free(dir); err != nil || size < free {
		t.Errorf("%d bytes in all, %d free, %v", size, free, err)
	}
	if _, err := Size(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

func TestIsFull(t *testing.T) {
	for err, want := range map[error]bool{
		ErrFull:                           true,
		fmt.Errorf("write: %w", ErrFull):  true,
		nil:                               false,
		fs.ErrNotExist:                    false,
		errors.New("disk full, they say"): false,
	} {
		if got := IsFull(err); got != want {
			t.Errorf("%v: %v", err, got)
		}
	}
}

func TestReservesGiveWayInOrder(t *testing.T) {
	if ReserveState >= ReserveBulk {
		t.Errorf("state keeps %d free, bulk %d: bulk must give way first", ReserveState, ReserveBulk)
	}
}
