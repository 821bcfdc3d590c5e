//go:build !linux && !darwin

package store

import (
	"errors"
	"os"

	"github.com/realm-mesh/realm/internal/kit/atomicfile"
)

// syncAll says that files have to be synced one by one here.
func syncAll(string) error { return errors.ErrUnsupported }

// syncFile makes the content of a file durable. Windows does so for who may write it.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// flushFile is syncFile here.
func flushFile(path string) error { return syncFile(path) }

// flushFolder makes the entries of a folder durable.
func flushFolder(path string) error { return atomicfile.SyncDir(path) }
