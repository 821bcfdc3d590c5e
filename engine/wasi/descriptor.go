package wasi

import (
	"path"
	"strings"

	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/mount"
	"github.com/tetratelabs/wazero/experimental/sys"
)

// descriptor is a file or a folder that a guest has open. What it does with the paths
// below a folder goes by the folder's own path, as it was when it was opened.
type descriptor struct {
	*opened
	view *mount.View
	path string // below the mount, clean
	dir  bool
	flag uint32 // descriptor-flags
}

// opened is an open file, which is closed when nobody uses it any more: streams go on
// when the descriptor is dropped.
type opened struct {
	file  sys.File
	users int
}

func (o *opened) use() *opened {
	o.users++
	return o
}

func (o *opened) close() {
	if o.users--; o.users == 0 {
		o.file.Close() // what could not be written is the guest's loss
	}
}

func (d *descriptor) drop(*Guest) { d.close() }

// descriptor-flags.
const (
	flagRead            = 1 << 0
	flagWrite           = 1 << 1
	flagFileSync        = 1 << 2
	flagDataSync        = 1 << 3
	flagRequestedSync   = 1 << 4
	flagMutateDirectory = 1 << 5
)

// open-flags.
const (
	openCreate    = 1 << 0
	openDirectory = 1 << 1
	openExclusive = 1 << 2
	openTruncate  = 1 << 3
)

// followLinks is the only one of path-flags.
const followLinks = 1 << 0

// maxPath is the longest path, in bytes: as on Linux.
const maxPath = 4096

// pathWork is what a byte of a path costs: it may be one of a folder that is looked up.
const pathWork = 64

// resolve is what p means below d, in the words of the mount. Any ".." is taken with what
// stands before it, and must not lead out.
func (c *call) resolve(d *descriptor, p string) (string, error) {
	if err := c.g.work(c.ctx, len(p)*pathWork); err != nil {
		return "", err
	}
	clean := path.Clean(p)
	switch {
	case !d.dir:
		return "", fileError(codeNotDirectory)
	case len(p) > maxPath:
		return "", fileError(codeNameTooLong)
	case p == "":
		return "", fileError(codeNoEntry)
	case path.IsAbs(p), clean == "..", strings.HasPrefix(clean, "../"):
		return "", fileError(codeNotPermitted)
	}
	out := path.Join(d.path, clean)
	if strings.HasSuffix(p, "/") && out != "." {
		out += "/"
	}
	return out, nil
}

func preopenFunctions() map[string]Function {
	return map[string]Function{"get-directories": plain(func(c *call) (any, error) {
		out := []any{}
		for n, m := range c.g.env.Mounts {
			d, err := openDirectoryAt(c.g.views[n], ".")
			if err != nil {
				continue // the folder is gone
			}
			if !m.Folder.ReadOnly() {
				d.flag |= flagMutateDirectory
			}
			h, err := c.g.own(d, 0)
			if err != nil {
				return nil, err
			}
			out = append(out, []any{h, valid(m.Guest)})
		}
		return out, nil
	})}
}

func openDirectoryAt(v *mount.View, p string) (*descriptor, error) {
	f, errno := v.OpenFile(p, sys.O_RDONLY|sys.O_DIRECTORY, 0)
	if errno != 0 {
		return nil, fileErrorOf(errno)
	}
	return &descriptor{opened: (&opened{file: f}).use(), view: v, path: p, dir: true, flag: flagRead}, nil
}

// openAt implements open-at.
func openAt(c *call, d *descriptor) (any, error) {
	follow, p, open, flag := get[uint32](c, 1), get[string](c, 2), get[uint32](c, 3), get[uint32](c, 4)
	if c.err != nil {
		return nil, c.err
	}
	opened, err := c.open(d, follow, p, open, flag)
	if err != nil {
		return filed(nil, err)
	}
	h, err := c.g.own(opened, 0)
	return wit.Ok(h), err
}

func (c *call) open(d *descriptor, follow uint32, p string, open, flag uint32) (*descriptor, error) {
	name, err := c.resolve(d, p)
	if err != nil {
		return nil, err
	}
	how, err := hostFlags(follow, open, flag)
	switch {
	case err != nil:
		return nil, err
	case flag&flagMutateDirectory != 0 && d.flag&flagMutateDirectory == 0:
		return nil, fileError(codeReadOnly)
	}
	f, errno := d.view.OpenFile(name, how, 0o666)
	if errno != 0 {
		return nil, fileErrorOf(errno)
	}
	dir, errno := f.IsDir()
	if errno != 0 {
		f.Close() // nothing was written
		return nil, fileErrorOf(errno)
	}
	if dir {
		// What is below is changed, or not, as the mount has it.
		flag |= d.flag & flagMutateDirectory
	}
	return &descriptor{opened: (&opened{file: f}).use(), view: d.view, path: path.Clean(name), dir: dir, flag: flag}, nil
}

// hostFlags are flags of open-at in the words of the mount.
func hostFlags(follow, open, flag uint32) (sys.Oflag, error) {
	how := sys.O_RDONLY
	switch {
	case open&openExclusive != 0 && open&openCreate == 0,
		open&openTruncate != 0 && flag&flagWrite == 0,
		open&openDirectory != 0 && open&openCreate != 0:
		return 0, fileError(codeInvalid)
	case flag&(flagRead|flagWrite) == flagRead|flagWrite:
		how = sys.O_RDWR
	case flag&flagWrite != 0:
		how = sys.O_WRONLY
	}
	if follow&followLinks == 0 {
		how |= sys.O_NOFOLLOW
	}
	for _, f := range []struct {
		on   bool
		flag sys.Oflag
	}{
		{open&openCreate != 0, sys.O_CREAT}, {open&openDirectory != 0, sys.O_DIRECTORY},
		{open&openExclusive != 0, sys.O_EXCL}, {open&openTruncate != 0, sys.O_TRUNC},
		{flag&(flagFileSync|flagDataSync|flagRequestedSync) != 0, sys.O_SYNC},
	} {
		if f.on {
			how |= f.flag
		}
	}
	return how, nil
}
