package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"github.com/realm-mesh/realm/internal/kit/atomicfile"
)

// syncAll syncs the file system that dir is on: one commit for any number of files.
func syncAll(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
}

// syncFile makes the content of a file durable.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// flushFile is syncFile here.
func flushFile(path string) error { return syncFile(path) }

// flushFolder makes the entries of a folder durable.
func flushFolder(path string) error { return atomicfile.SyncDir(path) }
