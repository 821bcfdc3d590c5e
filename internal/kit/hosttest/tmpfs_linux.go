package hosttest

import (
	"syscall"
	"testing"
)

// MountTmpfs mounts a small file system of its own for the test, with options such as
// "size=64m", and returns its folder. It skips the test where that cannot be done.
func MountTmpfs(t testing.TB, options string) string {
	t.Helper()
	Need(t, Tmpfs)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
