//go:build !linux

package store

import (
	"errors"
	"os"
)

// syncAll says that files have to be synced one by one here.
func syncAll(string) error { return errors.ErrUnsupported }

// syncFile syncs the content of a file. Windows does so for who may write it.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// startWriting does nothing here: the kernel begins to write by itself.
func startWriting(*os.File) {}
