//go:build unix

package mount

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero/experimental/sys"
	wsys "github.com/tetratelabs/wazero/sys"
	"golang.org/x/sys/unix"
)

// twin does the same to a mount and, by the system's own calls, to a folder that
// nobody guards.
type twin struct {
	t      *testing.T
	random *rand.Rand
	fs     sys.FS
	mount  string
	native string
	files  []pair
	log    []string
	over   bool // the mount has met more links than it follows: they differ from now on
}

// pair is one file, open on both sides.
type pair struct {
	guest  sys.File
	host   int // descriptor
	folder bool
}

// TestLikeTheSystem has many random sequences of operations end alike on both.
func TestLikeTheSystem(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w := &twin{t: t, random: rand.New(rand.NewPCG(seed, 7)), mount: t.TempDir(), native: t.TempDir()}
			w.fs = shown(t, w.mount, false)
			defer w.closeAll()
			for range 300 {
				if w.step(); w.over {
					return
				}
				if t.Failed() {
					t.Fatalf("after\n%s", strings.Join(w.log, "\n"))
				}
			}
			w.closeAll()
			if a, b := w.tree(w.mount), w.tree(w.native); !slices.Equal(a, b) {
				t.Errorf("the mount holds\n%s\nand the folder\n%s\nafter\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"), strings.Join(w.log, "\n"))
			}
		})
	}
}

// step does one operation.
func (w *twin) step() {
	if len(w.files) > 0 && w.random.IntN(2) == 0 {
		w.onFile()
		return
	}
	w.onPath()
}

// path is one of few, so that operations meet.
func (w *twin) path() string {
	p := pick(w.random, "a", "b", "c", "l")
	for w.random.IntN(3) == 0 {
		p += "/" + pick(w.random, "a", "b", "c", "l")
	}
	return p
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// compare fails unless both sides say the same.
func (w *twin) compare(guest sys.Errno, host error, format string, args ...any) bool {
	w.t.Helper()
	if guest == sys.ELOOP && host == nil { // the system follows 40, os.Root 8
		w.over = true
		return false
	}
	want := pathErrno(host)
	w.log = append(w.log, fmt.Sprintf(format, args...)+": "+want.Error())
	if guest != want {
		w.t.Errorf(format+": got %v, want %v (%v)", append(args, guest, want, host)...)
	}
	return guest == 0
}

func (w *twin) onPath() {
	a, b := w.path(), w.path()
	at := func(p string) string { return w.native + "/" + p }
	switch w.random.IntN(12) {
	case 0, 1, 2:
		w.open(a)
	case 3, 4:
		w.compare(w.fs.Mkdir(a, 0o700), unix.Mkdir(at(a), 0o700), "mkdir %s", a)
	case 5:
		w.compare(w.fs.Rmdir(a), unix.Rmdir(at(a)), "rmdir %s", a)
	case 6:
		w.compare(w.fs.Unlink(a), unix.Unlink(at(a)), "unlink %s", a)
	case 7, 8:
		w.compare(w.fs.Rename(a, b), unix.Rename(at(a), at(b)), "rename %s %s", a, b)
	case 9:
		errno, err := w.fs.Link(a, b), unix.Linkat(unix.AT_FDCWD, at(a), unix.AT_FDCWD, at(b), 0)
		if errno != 0 && err != nil {
			errno = pathErrno(err) // of two things that are wrong, either may be told
		}
		w.compare(errno, err, "link %s %s", a, b)
	case 10:
		target := pick(w.random, "a", "b", "a/b", "c", ".", "a/.", "./b")
		w.compare(w.fs.Symlink(target, b), unix.Symlink(target, at(b)), "symlink %s %s", target, b)
		text, errno := w.fs.Readlink(a)
		want, err := os.Readlink(at(a))
		if w.compare(errno, err, "readlink %s", a) && text != want {
			w.t.Errorf("readlink %s: %q, want %q", a, text, want)
		}
	case 11:
		ns := int64(w.random.IntN(1e9)) * 1e6
		times := []unix.Timespec{unix.NsecToTimespec(ns), unix.NsecToTimespec(ns + 5)}
		w.compare(w.fs.Utimens(a, ns, ns+5), unix.UtimesNanoAt(unix.AT_FDCWD, at(a), times, 0), "times %s", a)
		mode := uint32(0o600 + w.random.IntN(64))
		w.compare(w.fs.Chmod(b, fs.FileMode(mode)), unix.Fchmodat(unix.AT_FDCWD, at(b), mode, 0), "chmod %s", b)
	}
	w.look(a)
	w.look(b)
}

// look compares what both sides say of a path.
func (w *twin) look(p string) {
	got, errno := w.fs.Stat(p)
	want, err := os.Stat(w.native + "/" + p)
	if w.compare(errno, err, "stat %s", p) {
		w.same(got, want, p)
	}
	got, errno = w.fs.Lstat(p)
	want, err = os.Lstat(w.native + "/" + p)
	if w.compare(errno, err, "lstat %s", p) {
		w.same(got, want, p)
	}
}

func (w *twin) same(got wsys.Stat_t, info fs.FileInfo, what string) {
	want := wsys.NewStat_t(info)
	if got.Mode != want.Mode || got.Nlink != want.Nlink || got.Mode.IsRegular() && got.Size != want.Size {
		w.t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func (w *twin) open(p string) {
	flag := pick(w.random, sys.O_RDONLY, sys.O_RDWR, sys.O_RDWR, sys.O_WRONLY)
	host := pick(w.random, 0, unix.O_CLOEXEC)
	switch flag {
	case sys.O_RDWR:
		host |= unix.O_RDWR
	case sys.O_WRONLY:
		host |= unix.O_WRONLY
	}
	for _, f := range []struct {
		guest sys.Oflag
		host  int
	}{{sys.O_CREAT, unix.O_CREAT}, {sys.O_CREAT | sys.O_EXCL, unix.O_CREAT | unix.O_EXCL}, {sys.O_TRUNC, unix.O_TRUNC},
		{sys.O_APPEND, unix.O_APPEND}, {sys.O_NOFOLLOW, unix.O_NOFOLLOW}, {sys.O_SYNC, unix.O_SYNC}} {
		if w.random.IntN(4) == 0 {
			flag, host = flag|f.guest, host|f.host
		}
	}
	if flag&sys.O_CREAT == 0 && w.random.IntN(4) == 0 { // wazero refuses both together
		flag, host = flag|sys.O_DIRECTORY, host|unix.O_DIRECTORY
	}
	guest, errno := w.fs.OpenFile(p, flag, 0o640)
	fd, err := unix.Open(w.native+"/"+p, host, 0o640)
	if !w.compare(errno, err, "open %s %s", p, flagName(flag)) {
		if err == nil {
			unix.Close(fd)
		}
		return
	}
	dir, _ := guest.IsDir()
	w.files = append(w.files, pair{guest, fd, dir})
	if len(w.files) > 4 {
		w.close(0)
	}
}

func (w *twin) close(i int) {
	w.compare(w.files[i].guest.Close(), unix.Close(w.files[i].host), "close %d", i)
	w.files = slices.Delete(w.files, i, i+1)
}

func (w *twin) closeAll() {
	for len(w.files) > 0 {
		w.close(0)
	}
}

func (w *twin) onFile() {
	i := w.random.IntN(len(w.files))
	f := w.files[i]
	if f.folder {
		w.onFolder(i, f)
		return
	}
	text := []byte(strings.Repeat(pick(w.random, "x", "yy", "zzz"), 1+w.random.IntN(50)))
	at := int64(w.random.IntN(200) - 5)
	switch w.random.IntN(10) {
	case 0, 1, 2:
		n, errno := f.guest.Write(text)
		m, err := unix.Write(f.host, text)
		w.compare(errno, err, "write %d, %d bytes: %d", i, len(text), n)
		w.equal(n, max(m, 0))
	case 3, 4:
		got, want := make([]byte, len(text)), make([]byte, len(text))
		n, errno := f.guest.Read(got)
		m, err := unix.Read(f.host, want)
		w.compare(errno, err, "read %d, %d bytes: %d", i, len(text), n)
		w.equal(string(got[:n]), string(want[:max(m, 0)]))
	case 5:
		got, want := make([]byte, len(text)), make([]byte, len(text))
		n, errno := f.guest.Pread(got, at)
		m, err := unix.Pread(f.host, want, at)
		w.compare(errno, err, "pread %d, %d bytes at %d: %d", i, len(text), at, n)
		w.equal(string(got[:n]), string(want[:max(m, 0)]))
	case 6:
		if f.guest.IsAppend() { // where Linux is not POSIX
			return
		}
		n, errno := f.guest.Pwrite(text, at)
		m, err := unix.Pwrite(f.host, text, at)
		w.compare(errno, err, "pwrite %d, %d bytes at %d: %d", i, len(text), at, n)
		w.equal(n, max(m, 0))
	case 7:
		whence := pick(w.random, io.SeekStart, io.SeekCurrent, io.SeekEnd)
		n, errno := f.guest.Seek(at, whence)
		m, err := unix.Seek(f.host, at, whence)
		if w.compare(errno, err, "seek %d to %d of %d", i, at, whence) {
			w.equal(n, m)
		}
	case 8:
		w.compare(f.guest.Truncate(at), unix.Ftruncate(f.host, at), "truncate %d to %d", i, at)
	case 9:
		w.compare(pick(w.random, f.guest.Sync, f.guest.Datasync)(), nil, "sync %d", i)
		w.close(i)
		return
	}
	got, errno := f.guest.Stat()
	var want unix.Stat_t
	if w.compare(errno, unix.Fstat(f.host, &want), "stat %d", i) {
		w.equal(fmt.Sprint(got.Size, got.Nlink), fmt.Sprint(want.Size, want.Nlink))
	}
}

func (w *twin) equal(got, want any) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("got %v, want %v", got, want)
	}
}

// onFolder compares the names in a folder that is open, by another descriptor: the
// system's is not rewound.
func (w *twin) onFolder(i int, f pair) {
	if w.random.IntN(4) == 0 {
		w.close(i)
		return
	}
	if _, errno := f.guest.Seek(0, io.SeekStart); errno != 0 {
		w.t.Errorf("rewind: %v", errno)
	}
	entries, errno := f.guest.Readdir(-1)
	if errno == sys.ENOENT { // the folder is gone
		entries, errno = nil, 0
	}
	var got, want []string
	for _, e := range entries {
		got = append(got, e.Name+" "+e.Type.String())
	}
	fd, err := unix.Openat(f.host, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err == nil {
		dir := os.NewFile(uintptr(fd), "")
		var listed []os.DirEntry
		listed, err = dir.ReadDir(-1)
		for _, e := range listed {
			want = append(want, e.Name()+" "+e.Type().String())
		}
		dir.Close()
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	slices.Sort(got)
	slices.Sort(want)
	w.compare(errno, err, "readdir %d", i)
	w.equal(strings.Join(got, ","), strings.Join(want, ","))
}

// tree is all that a folder holds, but for the times that both sides were changed at.
func (w *twin) tree(dir string) []string {
	var out []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		line := fmt.Sprint(strings.TrimPrefix(path, dir), " ", info.Mode())
		switch {
		case e.Type().IsRegular():
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += " " + string(text)
		case e.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + target
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		w.t.Error(err)
	}
	return out
}
