package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/realm-mesh/realm/internal/kit/atomicfile"
)

// output is a file that is to be seen when it is whole, or not at all. Standard output,
// pipes and devices are written to as they are.
type output struct {
	io.Writer
	file *os.File // nil: nothing is to be closed
	path string   // where it is to be seen; "": it is there already
}

// openOutput begins a file beside the one that is to be there in the end. The caller
// keeps it or drops it.
func (a *app) openOutput(name string) (*output, error) {
	if name == stdio {
		return &output{Writer: a.out}, nil
	}
	path, perm := name, fs.FileMode(0o666)
	if fi, err := os.Stat(name); err == nil {
		switch {
		case fi.IsDir():
			return nil, fmt.Errorf("%s is a folder: name a file in it", name)
		case !fi.Mode().IsRegular():
			f, err := os.OpenFile(name, os.O_WRONLY, 0)
			if err != nil {
				return nil, fmt.Errorf("write blob: %w", err)
			}
			return &output{Writer: f, file: f}, nil
		}
		perm = fi.Mode().Perm()
		if path, err = filepath.EvalSymlinks(name); err != nil {
			return nil, fmt.Errorf("write blob: %w", err)
		}
	}
	beside := filepath.Join(filepath.Dir(path), ".realm-get-"+rand.Text())
	f, err := os.OpenFile(beside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the folder of %s is not there: make it, or name another file", name)
	}
	if err != nil {
		return nil, fmt.Errorf("write blob: %w", err)
	}
	return &output{Writer: f, file: f, path: path}, nil
}

// keep has the file be seen, when it is on the disk.
func (o *output) keep() error {
	if o.file == nil {
		return nil
	}
	var err error
	if o.path != "" {
		err = o.file.Sync()
	}
	err = errors.Join(err, o.file.Close())
	if o.path == "" || err != nil {
		return errors.Join(wrapWrite(err), o.remove())
	}
	if err := atomicfile.Rename(o.file.Name(), o.path); err != nil {
		return errors.Join(wrapWrite(err), o.remove())
	}
	return nil
}

// drop takes away what was written.
func (o *output) drop() error {
	if o.file == nil {
		return nil
	}
	_ = o.file.Close() // there is nothing to keep of it
	return o.remove()
}

func (o *output) remove() error {
	if o.path == "" {
		return nil
	}
	if err := os.Remove(o.file.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove what was written: %w", err)
	}
	return nil
}

func wrapWrite(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("write blob: %w", err)
}
