package mount

import (
	"errors"
	"io"
	"io/fs"

	"github.com/tetratelabs/wazero/experimental/sys"
	wsys "github.com/tetratelabs/wazero/sys"
)

// maxEntries is how many names are read at once: wazero has them all in memory.
const maxEntries = 1 << 20

// folder is a folder that a guest has open.
type folder struct {
	*handle
	sys.DirFile
}

// Seek implements [sys.File]: back to the first name, and nowhere else.
func (d *folder) Seek(offset position, whence int) (position, sys.Errno) {
	if offset != 0 || whence != io.SeekStart {
		return 0, sys.EISDIR
	}
	_, err := d.host.Seek(0, io.SeekStart)
	return 0, fileErrno(err)
}

// Readdir implements [sys.File]. wazero takes fewer names than it has asked for as the
// end of the folder, so files that vanish meanwhile must not make it fewer.
func (d *folder) Readdir(n int) ([]sys.Dirent, sys.Errno) {
	var out []sys.Dirent
	for n <= 0 || len(out) < n {
		want := min(n-len(out), batch)
		if n <= 0 {
			want = batch
		}
		if !d.fs.may(0) {
			return nil, sys.EINTR
		}
		entries, err := d.host.ReadDir(want)
		d.fs.may(len(entries) * entryBytes)
		for _, e := range entries {
			out = append(out, dirent(e))
		}
		switch {
		case errors.Is(err, io.EOF):
			return out, 0
		case err != nil:
			return nil, readdirErrno(err)
		case len(out) > maxEntries:
			return nil, sys.ERANGE
		}
	}
	return out, 0
}

const (
	// batch is how many names are asked of the system at once.
	batch = 1024
	// entryBytes is what a name counts as: its inode is looked up.
	entryBytes = 1024
)

// readdirErrno is ENOENT where the folder itself is gone.
func readdirErrno(err error) sys.Errno {
	if e := fileErrno(err); e != sys.EINVAL && e != sys.ENOTDIR {
		return e
	}
	return sys.EBADF
}

// dirent asks for the inode, too: libraries would ask for it by name if it were 0.
func dirent(e fs.DirEntry) sys.Dirent {
	out := sys.Dirent{Name: e.Name(), Type: e.Type()}
	if info, err := e.Info(); err == nil { // else it has just vanished
		out.Ino = wsys.NewStat_t(info).Ino
	}
	return out
}
