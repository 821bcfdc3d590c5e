package disk

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/realm-mesh/realm/internal/kit/hosttest"
)

// What a full disk really answers is recognised, and Room sees it coming.
func TestFullDisk(t *testing.T) {
	dir := hosttest.MountTmpfs(t, "size=4m")
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
