package disk

import "golang.org/x/sys/windows"

// Free returns the bytes that this user may still write under dir.
func Free(dir string) (int64, error) {
	free, _, err := space(dir)
	return free, err
}

// Size returns how many bytes this user may have in all on the file system of dir,
// used ones and free ones.
func Size(dir string) (int64, error) {
	_, size, err := space(dir)
	return size, err
}

func space(dir string) (free, size int64, err error) {
	p, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, err
	}
	var f, s uint64
	err = windows.GetDiskFreeSpaceEx(p, &f, &s, nil)
	return int64(f), int64(s), err
}
