//go:build unix

package paths

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The short socket folder may lie where everybody can write: one that is not this
// user's own, or leads elsewhere, is refused.
func TestCheckPrivate(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := checkPrivate(open); err != nil {
		t.Error(err)
	}
	if fi, err := os.Stat(open); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("an open folder was left %v (%v)", fi.Mode(), err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(open, link); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{link, file} {
		if err := checkPrivate(bad); err == nil || !strings.Contains(err.Error(), "remove it") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := checkPrivate(filepath.Join(dir, "none")); !os.IsNotExist(err) {
		t.Errorf("no folder: %v", err)
	}
	if os.Getuid() != 0 {
		return // only root can make what is another user's
	}
	if err := os.Chown(open, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	if err := checkPrivate(open); err == nil || !strings.Contains(err.Error(), "not a folder of this user") {
		t.Errorf("another user's: %v", err)
	}
}
