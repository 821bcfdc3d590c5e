//go:build unix

package disk

import "golang.org/x/sys/unix"

// Free returns the bytes that an unprivileged process may still write under dir.
func Free(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Bavail) * int64(st.Bsize), nil //nolint:unconvert // Bsize has 32 bits on macOS
}

// Size returns how many bytes unprivileged processes may have in all on the file
// system of dir, used ones and free ones.
func Size(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	kept := max(int64(st.Bfree)-int64(st.Bavail), 0)        // for root
	return (int64(st.Blocks) - kept) * int64(st.Bsize), nil //nolint:unconvert // as above
}
