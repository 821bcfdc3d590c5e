package mount

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tetratelabs/wazero/experimental/sys"
)

// named makes a name, which counts if the folder is bounded.
func (g *View) named(name hostPath, do func() error) sys.Errno {
	q := g.folder.quota
	if q == nil {
		return g.told(pathErrno(do()))
	}
	q.names.Lock()
	defer q.names.Unlock()
	if !q.take(block) {
		return g.told(g.full(name, true))
	}
	err := do()
	if err != nil {
		q.give(block)
	}
	return g.told(pathErrno(err))
}

// full is why a name is not made for which there is no room: other errors come first.
func (g *View) full(name hostPath, anew bool) sys.Errno {
	if _, err := g.root.Lstat(name.path); err == nil && anew {
		return sys.EEXIST
	}
	if _, err := g.root.Stat(filepath.Dir(name.path)); err != nil {
		return pathErrno(err)
	}
	return ENOSPC
}

// unnamed removes name, or has another take its place, and gives back what it counts.
func (g *View) unnamed(name string, do func() sys.Errno) sys.Errno {
	if g.folder.quota == nil {
		return g.told(do())
	}
	g.folder.quota.names.Lock()
	defer g.folder.quota.names.Unlock()
	return g.told(g.released(name, do))
}

// released is unnamed, while nobody else makes or removes names.
func (g *View) released(name string, do func() sys.Errno) sys.Errno {
	q := g.folder.quota
	i, info, errno := q.enter(func() (fs.FileInfo, error) { return g.root.Lstat(name) })
	if errno != 0 {
		return do() // nothing is there
	}
	errno = do()
	last := false
	if i != nil {
		_, links := identity(info)
		last = links <= 1
		q.leave(i, errno == 0 && last)
	}
	if errno == 0 && !last {
		q.give(block)
	}
	return errno
}

// replaced renames a file or folder, of which the names are clean.
func (g *View) replaced(from, to string) sys.Errno {
	do := func() sys.Errno { return g.rename(from, to) }
	q := g.folder.quota
	if q == nil {
		return g.told(do())
	}
	q.names.Lock()
	defer q.names.Unlock()
	source, err := g.root.Lstat(from)
	if err != nil {
		return g.told(do())
	}
	if dest, err := g.root.Lstat(to); err == nil && os.SameFile(source, dest) {
		return g.told(do()) // which does nothing
	}
	return g.told(g.released(to, do))
}

// openFile opens what counts if the folder is bounded; i is nil if it does not.
func (g *View) openFile(name hostPath, flag sys.Oflag, perm fs.FileMode) (*os.File, *inode, sys.Errno) {
	q := g.folder.quota
	open := func(flag sys.Oflag) (*os.File, sys.Errno) {
		f, err := g.root.OpenFile(name.String(), hostFlags(flag), perm.Perm())
		return f, pathErrno(err)
	}
	if q == nil {
		f, errno := open(flag)
		return f, nil, errno
	}
	if flag&sys.O_TRUNC != 0 && flag&writing == 0 {
		return nil, nil, sys.EINVAL
	}
	return g.counted(name, flag, func() (*os.File, sys.Errno) { return open(flag &^ sys.O_TRUNC) })
}

// counted opens what counts. It must be truncated by who gets it, if it is to be.
func (g *View) counted(name hostPath, flag sys.Oflag, open func() (*os.File, sys.Errno)) (*os.File, *inode, sys.Errno) {
	q, taken := g.folder.quota, int64(0)
	if flag&sys.O_CREAT != 0 {
		q.names.Lock()
		defer q.names.Unlock()
		if _, err := g.root.Stat(name.String()); errors.Is(err, fs.ErrNotExist) {
			if !q.take(block) {
				return nil, nil, g.full(name, flag&sys.O_EXCL != 0)
			}
			taken = block
		}
	}
	f, errno := open()
	if errno != 0 {
		q.give(taken)
		return nil, nil, errno
	}
	i, _, errno := q.enter(f.Stat)
	if errno != 0 {
		_ = f.Close() // nothing was written
		return nil, nil, errno
	}
	return f, i, 0
}
