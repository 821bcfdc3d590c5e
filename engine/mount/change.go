package mount

import (
	"io/fs"
	"path"
	"path/filepath"
	"time"

	"github.com/tetratelabs/wazero/experimental/sys"
	wsys "github.com/tetratelabs/wazero/sys"
)

// Lstat implements [sys.FS].
func (g *View) Lstat(path string) (wsys.Stat_t, sys.Errno) {
	if m := g.folder.memory; m != nil {
		return m.statName(path)
	}
	return stat(g.root.Lstat, path)
}

// Stat implements [sys.FS].
func (g *View) Stat(path string) (wsys.Stat_t, sys.Errno) {
	if m := g.folder.memory; m != nil {
		return m.statName(path)
	}
	return stat(g.root.Stat, path)
}

func stat(look func(string) (fs.FileInfo, error), path string) (wsys.Stat_t, sys.Errno) {
	name, errno := hostName(path)
	if errno != 0 {
		return wsys.Stat_t{}, errno
	}
	info, err := look(name.String())
	if err != nil {
		return wsys.Stat_t{}, pathErrno(err)
	}
	return wsys.NewStat_t(info), 0
}

// Readlink implements [sys.FS].
func (g *View) Readlink(path string) (string, sys.Errno) {
	if m := g.folder.memory; m != nil {
		return "", m.readlink(path)
	}
	name, errno := hostName(path)
	if errno != 0 {
		return "", errno
	}
	target, err := g.root.Readlink(name.String())
	return filepath.ToSlash(target), pathErrno(err)
}

// change is the name of something that is to be changed.
func (g *View) change(path string) (hostPath, sys.Errno) {
	if g.folder.readOnly {
		return hostPath{}, sys.EROFS
	}
	return hostName(path)
}

// Mkdir implements [sys.FS].
func (g *View) Mkdir(path string, perm fs.FileMode) sys.Errno {
	name, errno := g.change(path)
	if errno != 0 {
		return errno
	}
	return g.named(name, func() error { return g.root.Mkdir(name.path, perm.Perm()) })
}

// Chmod implements [sys.FS].
func (g *View) Chmod(path string, perm fs.FileMode) sys.Errno {
	name, errno := g.change(path)
	if errno != 0 {
		return errno
	}
	return g.told(pathErrno(g.root.Chmod(name.String(), perm.Perm())))
}

// Rename implements [sys.FS].
func (g *View) Rename(from, to string) sys.Errno {
	source, errno := g.change(from)
	if errno != 0 {
		return errno
	}
	dest, errno := g.change(to)
	switch {
	case errno != 0:
		return errno
	case source.path == "." || dest.path == ".":
		return sys.EINVAL
	case source.slash || dest.slash:
		info, err := g.root.Lstat(source.path)
		if err != nil {
			return pathErrno(err)
		}
		if !info.IsDir() {
			return sys.ENOTDIR
		}
	}
	return g.replaced(source.path, dest.path)
}

// Rmdir implements [sys.FS].
func (g *View) Rmdir(path string) sys.Errno {
	name, errno := g.change(path)
	switch {
	case errno != 0:
		return errno
	case name.path == ".":
		return sys.EINVAL
	}
	return g.unnamed(name.path, func() sys.Errno { return g.rmdir(name.path) })
}

// Unlink implements [sys.FS].
func (g *View) Unlink(path string) sys.Errno {
	name, errno := g.change(path)
	switch {
	case errno != 0:
		return errno
	case name.path == ".":
		return sys.EISDIR
	case name.slash:
		info, err := g.root.Lstat(name.path)
		if err != nil {
			return pathErrno(err)
		}
		if !info.IsDir() {
			return sys.ENOTDIR
		}
		return sys.EISDIR
	}
	return g.unnamed(name.path, func() sys.Errno { return g.unlink(name.path) })
}

// Link implements [sys.FS].
func (g *View) Link(oldPath, newPath string) sys.Errno {
	source, errno := g.change(oldPath)
	if errno != 0 {
		return errno
	}
	dest, errno := g.change(newPath)
	if errno != 0 {
		return errno
	}
	return g.named(dest, func() error { return g.root.Link(source.String(), dest.String()) })
}

// Symlink implements [sys.FS]. Absolute targets are refused, as WASI has it: they
// are paths of the host.
func (g *View) Symlink(target, link string) sys.Errno {
	name, errno := g.change(link)
	switch {
	case errno != 0:
		return errno
	case len(target) > maxName:
		return sys.ENAMETOOLONG
	case path.IsAbs(target), filepath.IsAbs(target), filepath.VolumeName(target) != "":
		return sys.EPERM
	}
	return g.named(name, func() error { return g.root.Symlink(filepath.FromSlash(target), name.String()) })
}

// Utimens implements [sys.FS].
func (g *View) Utimens(path string, atim, mtim int64) sys.Errno {
	name, errno := g.change(path)
	if errno != 0 {
		return errno
	}
	return g.told(pathErrno(g.root.Chtimes(name.String(), hostTime(atim), hostTime(mtim))))
}

// hostTime is the zero time for one that is to stay.
func hostTime(ns int64) time.Time {
	if ns == sys.UTIME_OMIT {
		return time.Time{}
	}
	return time.Unix(0, ns)
}
