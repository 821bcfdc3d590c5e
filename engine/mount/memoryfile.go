package mount

import (
	"io"
	"io/fs"

	"github.com/tetratelabs/wazero/experimental/sys"
	wsys "github.com/tetratelabs/wazero/sys"
)

// memoryHandle is what an open file in memory and the folder of such have in common.
type memoryHandle struct {
	sys.UnimplementedFile
	fs     *View
	of     *memory
	ino    wsys.Inode
	at     int64 // of a file in bytes, of the folder in names
	closed bool
}

// openMemory opens what is in memory.
func (g *View) openMemory(m *memory, name hostPath, flag sys.Oflag) (sys.File, sys.Errno) {
	if errno := m.with(rootIno, func([]byte) {}); errno != 0 {
		return nil, errno
	}
	ino, errno := m.find(name)
	if errno != 0 {
		return nil, errno
	}
	h := &memoryHandle{fs: g, of: m, ino: ino}
	switch {
	case ino == rootIno:
		g.open[h] = struct{}{}
		return &memoryFolder{memoryHandle: h}, 0
	case flag&sys.O_DIRECTORY != 0:
		return nil, sys.ENOTDIR
	}
	g.open[h] = struct{}{}
	return &memoryFile{memoryHandle: h}, 0
}

// Dev implements [sys.File].
func (h *memoryHandle) Dev() (uint64, sys.Errno) { return h.of.dev, 0 }

// Ino implements [sys.File].
func (h *memoryHandle) Ino() (wsys.Inode, sys.Errno) { return h.ino, 0 }

// Stat implements [sys.File].
func (h *memoryHandle) Stat() (wsys.Stat_t, sys.Errno) {
	if h.closed {
		return wsys.Stat_t{}, sys.EBADF
	}
	return h.of.stat(h.ino)
}

// bytes runs do with the bytes of the file.
func (h *memoryHandle) bytes(do func([]byte)) sys.Errno {
	if h.closed {
		return sys.EBADF
	}
	return h.of.with(h.ino, do)
}

// Sync implements [sys.File].
func (h *memoryHandle) Sync() sys.Errno { return h.bytes(func([]byte) {}) }

// Datasync implements [sys.File].
func (h *memoryHandle) Datasync() sys.Errno { return h.Sync() }

// Utimens implements [sys.File].
func (h *memoryHandle) Utimens(int64, int64) sys.Errno {
	if errno := h.Sync(); errno != 0 {
		return errno
	}
	return sys.EROFS
}

// Close implements [sys.File].
func (h *memoryHandle) Close() sys.Errno {
	h.closed = true
	delete(h.fs.open, h)
	return 0
}

// memoryFile is a file in memory that a guest has open.
type memoryFile struct {
	*memoryHandle
	appends bool
}

// IsAppend implements [sys.File].
func (f *memoryFile) IsAppend() bool { return f.appends }

// SetAppend implements [sys.File]: it makes no difference.
func (f *memoryFile) SetAppend(on bool) sys.Errno {
	errno := f.Sync()
	if errno == 0 {
		f.appends = on
	}
	return errno
}

// Read implements [sys.File].
func (f *memoryFile) Read(buf []byte) (int, sys.Errno) {
	n, errno := f.Pread(buf, f.at)
	f.at += int64(n)
	return n, errno
}

// Pread implements [sys.File].
func (f *memoryFile) Pread(buf []byte, off int64) (int, sys.Errno) {
	if off < 0 {
		return 0, sys.EINVAL
	}
	return f.fs.read(buf, func(to []byte) (n int, err error) {
		errno := f.bytes(func(b []byte) { n = copy(to, b[min(off, int64(len(b))):]) })
		if errno != 0 {
			return 0, errno
		}
		return n, nil
	})
}

// Seek implements [sys.File].
func (f *memoryFile) Seek(offset position, whence int) (position, sys.Errno) {
	var size int64
	if errno := f.bytes(func(b []byte) { size = int64(len(b)) }); errno != 0 {
		return 0, errno
	}
	from := int64(0)
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		from = f.at
	case io.SeekEnd:
		from = size
	default:
		return 0, sys.EINVAL
	}
	if from+offset < 0 { // also if that is more than there are numbers for
		return 0, sys.EINVAL
	}
	f.at = from + offset
	return f.at, 0
}

// Readdir implements [sys.File].
func (*memoryFile) Readdir(int) ([]sys.Dirent, sys.Errno) { return nil, sys.ENOTDIR }

// Write implements [sys.File]: nothing is open for writing.
func (*memoryFile) Write([]byte) (int, sys.Errno) { return 0, sys.EBADF }

// Pwrite implements [sys.File].
func (*memoryFile) Pwrite([]byte, int64) (int, sys.Errno) { return 0, sys.EBADF }

// Truncate implements [sys.File].
func (*memoryFile) Truncate(int64) sys.Errno { return sys.EINVAL }

// memoryFolder is the folder of files in memory, open.
type memoryFolder struct {
	*memoryHandle
	sys.DirFile
}

// Seek implements [sys.File]: back to the first name, and nowhere else.
func (d *memoryFolder) Seek(offset position, whence int) (position, sys.Errno) {
	if offset != 0 || whence != io.SeekStart {
		return 0, sys.EISDIR
	}
	d.at = 0
	return 0, d.Sync()
}

// Readdir implements [sys.File].
func (d *memoryFolder) Readdir(n int) (out []sys.Dirent, errno sys.Errno) {
	if errno := d.Sync(); errno != 0 {
		return nil, errno
	}
	for ; d.at < int64(len(d.of.names)) && (n <= 0 || len(out) < n); d.at++ {
		out = append(out, sys.Dirent{Name: d.of.names[d.at], Ino: rootIno + 1 + wsys.Inode(d.at), Type: fs.FileMode(0)})
	}
	return out, 0
}
