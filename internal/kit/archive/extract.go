package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
)

// Extract unpacks the archive into an empty folder, with what it holds on disk when it
// returns. Readers alone get what is readOnly. Errors that say [ErrBad] are of the archive;
// what is half there then is the caller's to remove.
func (a *Archive) Extract(ctx context.Context, into *os.Root, readOnly bool) error {
	dirs := map[string]bool{".": true}
	for _, e := range a.entries { // a folder comes before what is in it
		dir := e.Name
		if !e.Dir {
			dir = path.Dir(e.Name)
		}
		if !dirs[dir] {
			if err := into.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("unpack: %w", err)
			}
			for up := dir; !dirs[up]; up = path.Dir(up) {
				dirs[up] = true
			}
		}
		if e.Dir {
			continue
		}
		if err := a.extract(ctx, into, e, readOnly); err != nil {
			return fmt.Errorf("unpack %.80q: %w", e.Name, err)
		}
	}
	return a.seal(into, dirs, readOnly)
}

// seal has folders be on disk, and be changed no more.
func (a *Archive) seal(into *os.Root, dirs map[string]bool, readOnly bool) error {
	for dir := range dirs {
		d, err := into.Open(dir)
		if err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
		if readOnly && dir != "." {
			err = d.Chmod(0o555)
		}
		if err = errors.Join(err, syncDir(d), d.Close()); err != nil {
			return fmt.Errorf("unpack: %w", err)
		}
	}
	return nil
}

func (a *Archive) extract(ctx context.Context, into *os.Root, e Entry, readOnly bool) error {
	from, err := a.File(e.Name)
	if err != nil {
		return err
	}
	defer from.Close()
	mode := os.FileMode(0o644)
	if e.Exec {
		mode = 0o755
	}
	if readOnly {
		mode &^= 0o222
	}
	to, err := into.OpenFile(e.Name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, &reader{ctx, from})
	if err == nil {
		err = to.Chmod(mode) // whatever the umask is
	}
	return errors.Join(err, to.Sync(), to.Close())
}
