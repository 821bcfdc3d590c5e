package confine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// maxDepth is how deep folders are followed down.
const maxDepth = 512

// Own gives a folder and what is in it to a user. None of its processes may run, nor may
// there be any other that writes there.
func Own(dir string, uid, gid int) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("give %s to user %d: %w", dir, uid, err)
	}
	defer root.Close()
	if err := own(root, uid, gid, maxDepth); err != nil {
		return fmt.Errorf("give %s to user %d: %w", dir, uid, err)
	}
	return nil
}

func own(dir *os.Root, uid, gid, depth int) error {
	if err := dir.Lchown(".", uid, gid); err != nil {
		return err
	}
	if depth == 0 {
		return nil // deeper than anybody needs; it can be removed all the same
	}
	return each(dir, func(e fs.DirEntry) error {
		if !e.IsDir() {
			return dir.Lchown(e.Name(), uid, gid)
		}
		sub, err := dir.OpenRoot(e.Name())
		if err != nil {
			return err
		}
		defer sub.Close()
		return own(sub, uid, gid, depth-1)
	})
}

// each calls fn for what is in a folder, in no order. What is gone meanwhile is no error.
func each(dir *os.Root, fn func(fs.DirEntry) error) error {
	f, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		entries, err := f.ReadDir(256)
		for _, e := range entries {
			if err := fn(e); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if len(entries) == 0 || err != nil {
			return nil // the end, or a folder that was removed while it was read
		}
	}
}
