package disk

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/realm-mesh/realm/internal/kit/hosttest"
)

// What a full disk really answers is recognised, and Room sees it coming.
func TestFullDisk(t *testing.T) {
	hosttest.Need(t, hosttest.Tmpfs)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if err := Room(dir, 2<<20, 1<<20); err != nil {
		t.Errorf("room on an empty disk: %v", err)
	}
	if err := Room(dir, 4<<20, 1<<20); !IsFull(err) {
		t.Errorf("more than fits: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "f"), make([]byte, 8<<20), 0o600); !IsFull(err) {
		t.Errorf("write more than fits: %v", err)
	}
}
