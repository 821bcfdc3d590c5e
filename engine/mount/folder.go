package mount

import (
	"fmt"
	"io/fs"
	"os"

	"github.com/tetratelabs/wazero/experimental/sys"
)

// Folder is a folder of the host, or of [Memory], that guests may see. It is safe for use by several
// goroutines.
type Folder struct {
	root     *os.Root // nil:
	memory   *memory  // it is here
	readOnly bool
	quota    *Quota // nil: it is not bounded
}

// Open opens the folder at a path of the host, whose links it follows.
func Open(path string, readOnly bool) (*Folder, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, fmt.Errorf("open folder to mount: %w", err)
	}
	return New(root, readOnly), nil
}

// New returns the folder that root is open on, and closes root when it is closed.
func New(root *os.Root, readOnly bool) *Folder { return &Folder{root: root, readOnly: readOnly} }

// Bound has what guests do to the folder count against q. It must be called before the
// folder is shown to any.
func (d *Folder) Bound(q *Quota) { d.quota = q }

// ReadOnly reports whether guests can change nothing in the folder.
func (d *Folder) ReadOnly() bool { return d.readOnly }

// Close closes the folder. Guests that still see it get EBADF from it.
func (d *Folder) Close() error {
	if d.memory != nil {
		d.memory.close()
		return nil
	}
	if err := d.root.Close(); err != nil {
		return fmt.Errorf("close mounted folder: %w", err)
	}
	return nil
}

// View returns the folder as one guest sees it. The caller must close it.
func (d *Folder) View() *View { return &View{folder: d, root: d.root, open: map[closer]struct{}{}} }

// maxOpen is how many files one guest may have open in one mount. They are
// descriptors of this process, which all guests share.
const maxOpen = 256

// View is a folder as one guest sees it. It implements [sys.FS], and is used by one
// goroutine at a time.
type View struct {
	sys.UnimplementedFS

	// Work is asked whether the guest may go on before each piece of what it reads or
	// writes, and is told afterwards how many bytes that were; nil: nobody wants to know.
	// If it may not it gets EINTR.
	Work func(bytes int) bool

	// Outcome is told what wazero keeps from the guest; nil: nobody wants to know.
	Outcome *Outcome

	folder *Folder
	root   *os.Root
	open   map[closer]struct{} // at most maxOpen
}

// closer is a file that is open.
type closer interface{ Close() sys.Errno }

// pieceBytes is how much is read or written at a time: some tenths of a millisecond's work.
const pieceBytes = 1 << 20

// may reports whether the guest may go on, after n bytes.
func (g *View) may(n int) bool { return g.Work == nil || g.Work(n) }

// first is the first piece of buf.
func first(buf []byte) []byte { return buf[:min(len(buf), pieceBytes)] }

// read reads a piece.
func (g *View) read(buf []byte, from func([]byte) (int, error)) (int, sys.Errno) {
	if !g.may(0) {
		return 0, sys.EINTR
	}
	n, err := from(first(buf))
	g.may(n)
	return n, fileErrno(err)
}

// write writes all of buf: wazero takes no less for an answer.
func (g *View) write(buf []byte, to func([]byte) (int, error)) (done int, errno sys.Errno) {
	for {
		if !g.may(0) {
			return done, sys.EINTR
		}
		n, err := to(first(buf[done:]))
		g.may(n)
		if g.Outcome != nil {
			g.Outcome.Wrote += n
		}
		if done += n; err != nil || done >= len(buf) {
			return done, g.told(fileErrno(err))
		}
	}
}

// Close closes what the guest has left open. wazero does so too, but not for a guest
// that is stopped while it sleeps.
func (g *View) Close() {
	for h := range g.open {
		h.Close() // what could not be written is the guest's loss
	}
}

// OpenFile implements [sys.FS].
func (g *View) OpenFile(path string, flag sys.Oflag, perm fs.FileMode) (sys.File, sys.Errno) {
	name, errno := hostName(path)
	if errno != 0 {
		return nil, errno
	}
	f, errno := g.openHost(name, flag, perm)
	errno = g.told(errno)
	switch {
	case errno == 0:
		return f, 0
	case name.path == "." && flag == sys.O_RDONLY:
		// wazero opens the mount itself so, and ends the program by a panic if that
		// fails with anything else.
		return nil, sys.ENOENT
	default:
		return nil, errno
	}
}

const (
	writing  = sys.O_RDWR | sys.O_WRONLY
	changing = writing | sys.O_APPEND | sys.O_CREAT | sys.O_TRUNC
)

func (g *View) openHost(name hostPath, flag sys.Oflag, perm fs.FileMode) (sys.File, sys.Errno) {
	switch {
	case g.folder.readOnly && flag&changing != 0:
		return nil, sys.EROFS
	case len(g.open) >= maxOpen:
		return nil, sys.EAGAIN
	case g.folder.memory != nil:
		return g.openMemory(g.folder.memory, name, flag)
	}
	if errno := g.checkType(name, flag); errno != 0 {
		return nil, errno
	}
	f, i, errno := g.openFile(name, flag, perm)
	if errno != 0 {
		return nil, errno
	}
	info, err := f.Stat()
	if err == nil && !openable(info.Mode()) || err != nil || flag&sys.O_DIRECTORY != 0 && !info.IsDir() {
		if i != nil {
			g.folder.quota.leave(i, false)
		}
		_ = f.Close() // nothing was written
		if err != nil {
			return nil, pathErrno(err)
		}
		return nil, typeErrno(info.Mode())
	}
	return g.newFile(f, i, name, info, flag)
}

// checkType refuses to open what is there and is neither a file nor a folder:
// opening some devices is an act in itself. What takes its place before it is
// opened is looked at once more, and does not block meanwhile.
func (g *View) checkType(name hostPath, flag sys.Oflag) sys.Errno {
	if flag&sys.O_CREAT != 0 && flag&sys.O_EXCL != 0 {
		return 0 // nothing is opened that is there
	}
	look := g.root.Stat
	if flag&sys.O_NOFOLLOW != 0 {
		look = g.root.Lstat
	}
	info, err := look(name.String())
	switch {
	case err != nil && flag&sys.O_CREAT != 0:
		return 0 // opening it says what is wrong, if anything is
	case err != nil:
		return pathErrno(err)
	case info.Mode()&fs.ModeSymlink != 0 && flag&sys.O_DIRECTORY == 0:
		return sys.ELOOP
	case !openable(info.Mode()), flag&sys.O_DIRECTORY != 0 && !info.IsDir():
		return typeErrno(info.Mode())
	case info.IsDir() && flag&(writing|sys.O_CREAT|sys.O_TRUNC) != 0:
		return sys.EISDIR
	}
	return 0
}

func openable(m fs.FileMode) bool { return m.IsRegular() || m.IsDir() }

// typeErrno says why something of type m is not opened.
func typeErrno(m fs.FileMode) sys.Errno {
	if openable(m) || m&fs.ModeSymlink != 0 {
		return sys.ENOTDIR // and a folder was asked for
	}
	return sys.ENOTSUP
}

// hostFlags are those of package os. O_APPEND is none of them: see [file.SetAppend].
func hostFlags(flag sys.Oflag) int {
	out := neverBlock
	switch flag & writing {
	case sys.O_RDWR:
		out |= os.O_RDWR
	case sys.O_WRONLY:
		out |= os.O_WRONLY
	default:
		out |= os.O_RDONLY
	}
	for _, f := range []struct {
		guest sys.Oflag
		host  int
	}{{sys.O_CREAT, os.O_CREATE}, {sys.O_EXCL, os.O_EXCL}, {sys.O_TRUNC, os.O_TRUNC},
		{sys.O_SYNC | sys.O_DSYNC | sys.O_RSYNC, os.O_SYNC}} {
		if flag&f.guest != 0 {
			out |= f.host
		}
	}
	return out
}
