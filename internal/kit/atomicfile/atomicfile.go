// Package atomicfile replaces files so that a reader, or a crash at any point,
// sees the old content or the new, whole and on disk.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Write replaces the file at path: temporary file beside it, fsync, rename,
// fsync of the folder.
func Write(path string, data []byte, perm os.FileMode) error {
	return write(path, data, perm, Rename)
}

// Create is [Write] for a file that must not exist: of several callers at the same
// time one succeeds, the others get [fs.ErrExist].
func Create(path string, data []byte, perm os.FileMode) error {
	return write(path, data, perm, func(from, to string) error {
		// A link does not replace; not every file system has them.
		err := os.Link(from, to)
		if errors.Is(err, fs.ErrExist) {
			return err
		}
		if err == nil {
			return SyncDir(filepath.Dir(to))
		}
		switch _, err := os.Lstat(to); {
		case err == nil:
			return fs.ErrExist
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
		return Rename(from, to)
	})
}

// write puts data into a synced temporary file beside path, which name then gives
// its final name.
func write(path string, data []byte, perm os.FileMode, name func(from, to string) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(f.Name()) // fails once renamed: meant
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(perm), f.Sync(), f.Close()); err == nil {
		err = name(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// Rename moves a file that is already synced to its final path and syncs the folder.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}

// SyncDir makes the entries of a folder durable. Windows cannot and need not.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
