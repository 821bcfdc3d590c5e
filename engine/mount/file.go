package mount

import (
	"io"
	"io/fs"
	"os"

	"github.com/tetratelabs/wazero/experimental/sys"
	wsys "github.com/tetratelabs/wazero/sys"
)

// handle is what files and folders that are open have in common.
type handle struct {
	sys.UnimplementedFile
	fs     *View
	name   hostPath
	host   *os.File
	opened wsys.Stat_t // as it was opened: device and inode stay
	closed bool
	inode  *inode // of a file that counts against a quota; else nil
}

// newFile makes a file of the guest's of one that is open.
func (g *View) newFile(f *os.File, i *inode, name hostPath, info fs.FileInfo, flag sys.Oflag) (sys.File, sys.Errno) {
	h := &handle{fs: g, name: name, host: f, opened: wsys.NewStat_t(info), inode: i}
	g.open[h] = struct{}{}
	if info.IsDir() {
		return &folder{handle: h}, 0
	}
	out := &file{handle: h}
	if flag&sys.O_APPEND != 0 {
		if errno := out.SetAppend(true); errno != 0 {
			out.Close()
			return nil, errno
		}
	}
	if i != nil && flag&sys.O_TRUNC != 0 {
		if errno := out.Truncate(0); errno != 0 {
			out.Close()
			return nil, errno
		}
	}
	return out, 0
}

// Dev implements [sys.File].
func (h *handle) Dev() (uint64, sys.Errno) { return h.opened.Dev, 0 }

// Ino implements [sys.File].
func (h *handle) Ino() (wsys.Inode, sys.Errno) { return h.opened.Ino, 0 }

// Stat implements [sys.File].
func (h *handle) Stat() (wsys.Stat_t, sys.Errno) {
	info, err := h.host.Stat()
	if err != nil {
		return wsys.Stat_t{}, fileErrno(err)
	}
	return wsys.NewStat_t(info), 0
}

// Sync implements [sys.File].
func (h *handle) Sync() sys.Errno { return h.fs.told(fileErrno(h.host.Sync())) }

// Datasync implements [sys.File].
func (h *handle) Datasync() sys.Errno {
	if h.closed {
		return sys.EBADF
	}
	return h.fs.told(fileErrno(datasync(h.host)))
}

// Utimens implements [sys.File].
func (h *handle) Utimens(atim, mtim int64) sys.Errno {
	switch {
	case h.closed:
		return sys.EBADF
	case h.fs.folder.readOnly:
		return sys.EROFS
	}
	var errno sys.Errno
	if ok, err := setTimes(h.host, hostTime(atim), hostTime(mtim)); ok {
		errno = h.fs.told(fileErrno(err))
	} else {
		errno = h.fs.Utimens(h.name.String(), atim, mtim)
	}
	if errno == sys.EPERM {
		// wazero would try again by a name that is not the mount's own.
		return sys.EACCES
	}
	return errno
}

// Close implements [sys.File].
func (h *handle) Close() sys.Errno {
	if h.closed {
		return 0
	}
	h.closed = true
	delete(h.fs.open, h)
	if h.inode != nil {
		h.fs.folder.quota.leave(h.inode, false) // before another file has its number
	}
	return h.fs.told(fileErrno(h.host.Close()))
}

// file is a regular file that a guest has open.
type file struct {
	*handle
	appends bool
}

// IsAppend implements [sys.File].
func (f *file) IsAppend() bool { return f.appends }

// SetAppend implements [sys.File].
func (f *file) SetAppend(on bool) sys.Errno {
	if f.closed {
		return sys.EBADF
	}
	if f.appends == on {
		return 0
	}
	if err := setAppend(f.host, on); err != nil {
		return fileErrno(err)
	}
	f.appends = on
	return 0
}

// Read implements [sys.File].
func (f *file) Read(buf []byte) (int, sys.Errno) {
	return f.fs.read(buf, f.host.Read)
}

// Pread implements [sys.File].
func (f *file) Pread(buf []byte, off int64) (int, sys.Errno) {
	if off < 0 {
		return 0, sys.EINVAL
	}
	return f.fs.read(buf, func(b []byte) (int, error) { return f.host.ReadAt(b, off) })
}

// position is where in a file, in bytes. Go vet takes a Seek of a plain int64 for one
// of [io.Seeker]'s, which [sys.File]'s is not.
type position = int64

// Seek implements [sys.File].
func (f *file) Seek(offset position, whence int) (position, sys.Errno) {
	if whence < io.SeekStart || whence > io.SeekEnd {
		return 0, sys.EINVAL
	}
	at, err := f.host.Seek(offset, whence)
	return at, fileErrno(err)
}

// Write implements [sys.File].
func (f *file) Write(buf []byte) (int, sys.Errno) {
	if f.appends && f.inode != nil {
		return f.fs.write(buf, f.bounded(f.host.Write, f.end))
	}
	if f.appends {
		if err := toEnd(f.host); err != nil {
			return 0, fileErrno(err)
		}
	}
	return f.fs.write(buf, f.bounded(f.host.Write, f.next))
}

// Pwrite implements [sys.File]. It writes where it says also in a file that is
// appended to, as POSIX has it and Linux does not.
func (f *file) Pwrite(buf []byte, off int64) (n int, errno sys.Errno) {
	if off < 0 {
		return 0, sys.EINVAL
	}
	if f.appends {
		if errno := f.SetAppend(false); errno != 0 {
			return 0, errno
		}
		defer func() {
			if e := f.SetAppend(true); errno == 0 {
				errno = e
			}
		}()
	}
	write := func(b []byte) (int, error) {
		n, err := f.host.WriteAt(b, off)
		off += int64(n)
		return n, err
	}
	return f.fs.write(buf, f.bounded(write, func(int64) (int64, error) { return off, nil }))
}

// Truncate implements [sys.File].
func (f *file) Truncate(size int64) sys.Errno {
	if size < 0 {
		return sys.EINVAL
	}
	if f.inode != nil {
		return f.fs.told(fileErrno(f.truncate(size)))
	}
	return f.fs.told(fileErrno(f.host.Truncate(size)))
}
