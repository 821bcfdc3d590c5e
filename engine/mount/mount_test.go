package mount

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/experimental/sysfs"
)

// shown opens dir for one guest; it is closed at the end of the test.
func shown(t testing.TB, dir string, readOnly bool) *View {
	t.Helper()
	d, err := Open(dir, readOnly)
	if err != nil {
		t.Fatal(err)
	}
	v := d.View()
	t.Cleanup(func() {
		v.Close()
		if len(v.open) != 0 {
			t.Errorf("%d files are left open", len(v.open))
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// tree makes files, folders (names that end in a slash) and links (NAME -> TARGET)
// below dir.
func tree(t testing.TB, dir string, entries ...string) {
	t.Helper()
	for _, e := range entries {
		name, target, link := strings.Cut(e, " -> ")
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		switch {
		case err != nil:
		case link:
			err = os.Symlink(target, path)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(path, 0o700)
		default:
			err = os.WriteFile(path, []byte("text of "+name), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// open opens a file of a guest; it is closed at the end of the test.
func open(t testing.TB, fs sys.FS, path string, flag sys.Oflag) sys.File {
	t.Helper()
	f, errno := fs.OpenFile(path, flag, 0o600)
	if errno != 0 {
		t.Fatalf("open %s: %v", path, errno)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// expect are errors that wazero documents, and those of POSIX where it says nothing.
var expect = []struct {
	name string
	do   func(sys.FS) sys.Errno
	want sys.Errno
}{
	{"open what is missing", opens("no", sys.O_RDONLY), sys.ENOENT},
	{"open below what is missing", opens("no/file", sys.O_RDWR|sys.O_CREAT), sys.ENOENT},
	{"open a folder", opens("full", sys.O_RDONLY), 0},
	{"open a folder for writing", opens("full", sys.O_RDWR), sys.EISDIR},
	{"open a folder, made for writing", opens("full", sys.O_WRONLY|sys.O_CREAT), sys.EISDIR},
	{"open a file as a folder", opens("file", sys.O_DIRECTORY), sys.ENOTDIR},
	{"open a file with a slash", opens("file/", sys.O_RDONLY), sys.ENOTDIR},
	{"open a folder with a slash", opens("full/", sys.O_RDONLY), 0},
	{"open below a file", opens("file/x", sys.O_RDONLY), sys.ENOTDIR},
	{"open a new file", opens("new", sys.O_RDWR|sys.O_CREAT|sys.O_EXCL), 0},
	{"open an old file anew", opens("file", sys.O_RDWR|sys.O_CREAT|sys.O_EXCL), sys.EEXIST},
	{"open a link", opens("link", sys.O_RDONLY), 0},
	{"open a link itself", opens("link", sys.O_RDONLY|sys.O_NOFOLLOW), sys.ELOOP},
	{"open a link itself as a folder", opens("link", sys.O_DIRECTORY|sys.O_NOFOLLOW), sys.ENOTDIR},
	{"open a link to nothing", opens("loose", sys.O_RDONLY), sys.ENOENT},
	{"open the mount", opens("/", sys.O_RDONLY), 0},
	{"make a folder", func(f sys.FS) sys.Errno { return f.Mkdir("new", 0o700) }, 0},
	{"make a folder with a slash", func(f sys.FS) sys.Errno { return f.Mkdir("new/", 0o700) }, 0},
	{"make a folder again", func(f sys.FS) sys.Errno { return f.Mkdir("full", 0o700) }, sys.EEXIST},
	{"make a folder over a file", func(f sys.FS) sys.Errno { return f.Mkdir("file", 0o700) }, sys.EEXIST},
	{"make a folder in nothing", func(f sys.FS) sys.Errno { return f.Mkdir("no/new", 0o700) }, sys.ENOENT},
	{"make the mount", func(f sys.FS) sys.Errno { return f.Mkdir(".", 0o700) }, sys.EEXIST},
	{"rename what is missing", renames("no", "file"), sys.ENOENT},
	{"rename a file", renames("file", "new"), 0},
	{"rename a file over a file", renames("file", "other"), 0},
	{"rename a file to itself", renames("file", "file"), 0},
	{"rename a file over a folder", renames("file", "empty"), sys.EISDIR},
	{"rename a folder", renames("full", "new"), 0},
	{"rename a folder over a file", renames("full", "file"), sys.ENOTDIR},
	{"rename a folder over an empty one", renames("full", "empty"), 0},
	{"rename a folder over a full one", renames("empty", "full"), sys.ENOTEMPTY},
	{"rename a folder to itself", renames("full", "full"), 0},
	{"rename a folder into itself", renames("full", "full/in"), sys.EINVAL},
	{"rename into nothing", renames("file", "no/file"), sys.ENOENT},
	{"remove a missing folder", func(f sys.FS) sys.Errno { return f.Rmdir("no") }, sys.ENOENT},
	{"remove an empty folder", func(f sys.FS) sys.Errno { return f.Rmdir("empty") }, 0},
	{"remove a full folder", func(f sys.FS) sys.Errno { return f.Rmdir("full") }, sys.ENOTEMPTY},
	{"remove a file as a folder", func(f sys.FS) sys.Errno { return f.Rmdir("file") }, sys.ENOTDIR},
	{"remove a link as a folder", func(f sys.FS) sys.Errno { return f.Rmdir("folder") }, sys.ENOTDIR},
	{"unlink what is missing", func(f sys.FS) sys.Errno { return f.Unlink("no") }, sys.ENOENT},
	{"unlink a file", func(f sys.FS) sys.Errno { return f.Unlink("file") }, 0},
	{"unlink a folder", func(f sys.FS) sys.Errno { return f.Unlink("empty") }, sys.EISDIR},
	{"unlink a link to a folder", func(f sys.FS) sys.Errno { return f.Unlink("folder") }, 0},
	{"unlink a file with a slash", func(f sys.FS) sys.Errno { return f.Unlink("file/") }, sys.ENOTDIR},
	{"link", func(f sys.FS) sys.Errno { return f.Link("file", "new") }, 0},
	{"link over a file", func(f sys.FS) sys.Errno { return f.Link("file", "other") }, sys.EEXIST},
	{"link over the mount", func(f sys.FS) sys.Errno { return f.Link("file", "/") }, sys.EEXIST},
	{"link what is missing", func(f sys.FS) sys.Errno { return f.Link("no", "new") }, sys.ENOENT},
	{"symlink", func(f sys.FS) sys.Errno { return f.Symlink("file", "new") }, 0},
	{"symlink to nothing", func(f sys.FS) sys.Errno { return f.Symlink("no", "new") }, 0},
	{"symlink over a file", func(f sys.FS) sys.Errno { return f.Symlink("other", "file") }, sys.EEXIST},
	{"symlink to a path of the host", func(f sys.FS) sys.Errno { return f.Symlink("/etc", "new") }, sys.EPERM},
	{"readlink", func(f sys.FS) sys.Errno { _, e := f.Readlink("link"); return e }, 0},
	{"readlink of a file", func(f sys.FS) sys.Errno { _, e := f.Readlink("file"); return e }, sys.EINVAL},
	{"readlink of what is missing", func(f sys.FS) sys.Errno { _, e := f.Readlink("no"); return e }, sys.ENOENT},
	{"stat", func(f sys.FS) sys.Errno { _, e := f.Stat("full/in"); return e }, 0},
	{"stat what is missing", func(f sys.FS) sys.Errno { _, e := f.Stat("no"); return e }, sys.ENOENT},
	{"stat a link to nothing", func(f sys.FS) sys.Errno { _, e := f.Stat("loose"); return e }, sys.ENOENT},
	{"lstat a link to nothing", func(f sys.FS) sys.Errno { _, e := f.Lstat("loose"); return e }, 0},
	{"stat a loop", func(f sys.FS) sys.Errno { _, e := f.Stat("loop"); return e }, sys.ELOOP},
	{"stat a long name", func(f sys.FS) sys.Errno { _, e := f.Stat(strings.Repeat("n", 300)); return e }, sys.ENAMETOOLONG},
	{"set times", func(f sys.FS) sys.Errno { return f.Utimens("file", 1, 2) }, 0},
	{"set times of what is missing", func(f sys.FS) sys.Errno { return f.Utimens("no", 1, 2) }, sys.ENOENT},
	{"change mode", func(f sys.FS) sys.Errno { return f.Chmod("file", 0o400) }, 0},
	{"change mode of what is missing", func(f sys.FS) sys.Errno { return f.Chmod("no", 0o400) }, sys.ENOENT},
	{"a NUL", func(f sys.FS) sys.Errno { return f.Mkdir("a\x00b", 0o700) }, sys.EINVAL},
}

func opens(path string, flag sys.Oflag) func(sys.FS) sys.Errno {
	return func(fs sys.FS) sys.Errno {
		f, errno := fs.OpenFile(path, flag, 0o600)
		if errno == 0 {
			errno = f.Close()
		}
		return errno
	}
}

func renames(from, to string) func(sys.FS) sys.Errno {
	return func(fs sys.FS) sys.Errno { return fs.Rename(from, to) }
}

// TestErrors tries the same on wazero's own mount, which keeps nobody inside.
func TestErrors(t *testing.T) {
	for name, mounted := range map[string]func(testing.TB, string) sys.FS{
		"wazero": func(_ testing.TB, dir string) sys.FS { return sysfs.DirFS(dir) },
		"mount":  func(t testing.TB, dir string) sys.FS { return shown(t, dir, false) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range expect {
				dir := t.TempDir()
				tree(t, dir, "file", "other", "empty/", "full/in", "link -> file", "folder -> full", "loose -> no", "loop -> loop")
				if got := c.do(mounted(t, dir)); got != c.want {
					t.Errorf("%s: got %v, want %v", c.name, got, c.want)
				}
			}
		})
	}
}

func TestReadOnly(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, "file", "sub/in", "link -> file")
	fs := shown(t, dir, true)
	f, d := open(t, fs, "file", sys.O_RDONLY), open(t, fs, "sub", sys.O_DIRECTORY)
	for name, do := range map[string]func() sys.Errno{
		"write":        func() sys.Errno { return opens("file", sys.O_WRONLY)(fs) },
		"read, write":  func() sys.Errno { return opens("file", sys.O_RDWR)(fs) },
		"create":       func() sys.Errno { return opens("new", sys.O_CREAT)(fs) },
		"create old":   func() sys.Errno { return opens("file", sys.O_CREAT)(fs) },
		"truncate":     func() sys.Errno { return opens("file", sys.O_TRUNC)(fs) },
		"append":       func() sys.Errno { return opens("file", sys.O_APPEND)(fs) },
		"mkdir":        func() sys.Errno { return fs.Mkdir("new", 0o700) },
		"chmod":        func() sys.Errno { return fs.Chmod("file", 0o400) },
		"rename":       func() sys.Errno { return fs.Rename("file", "new") },
		"rmdir":        func() sys.Errno { return fs.Rmdir("sub") },
		"unlink":       func() sys.Errno { return fs.Unlink("file") },
		"link":         func() sys.Errno { return fs.Link("file", "new") },
		"symlink":      func() sys.Errno { return fs.Symlink("file", "new") },
		"times":        func() sys.Errno { return fs.Utimens("file", 1, 1) },
		"file's times": func() sys.Errno { return f.Utimens(1, 1) },
		"sub's times":  func() sys.Errno { return d.Utimens(1, 1) },
	} {
		if got := do(); got != sys.EROFS {
			t.Errorf("%s: %v", name, got)
		}
	}
	if _, errno := f.Write([]byte("x")); errno != sys.EBADF {
		t.Errorf("write to an open file: %v", errno)
	}
	if errno := f.Truncate(0); errno == 0 {
		t.Error("an open file is truncated")
	}
	if st, errno := fs.Stat("file"); errno != 0 || st.Mode != 0o600 {
		t.Errorf("the file is %v, %v", st.Mode, errno)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "file")); string(text) != "text of file" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	if names := list(t, fs, "."); !slices.Equal(names, []string{"file", "link", "sub"}) {
		t.Errorf("the folder holds %v", names)
	}
}

func TestAppend(t *testing.T) {
	dir := t.TempDir()
	fs := shown(t, dir, false)
	a := open(t, fs, "log", sys.O_CREAT|sys.O_WRONLY|sys.O_APPEND)
	b := open(t, fs, "log", sys.O_RDWR)
	if errno := b.SetAppend(true); errno != 0 || !a.IsAppend() || !b.IsAppend() {
		t.Fatal(errno, a.IsAppend(), b.IsAppend())
	}
	write := func(f sys.File, text string) {
		t.Helper()
		if n, errno := f.Write([]byte(text)); errno != 0 || n != len(text) {
			t.Fatal(n, errno)
		}
	}
	write(a, "one ")
	write(b, "two ")
	write(a, "three ")
	if n, errno := b.Pwrite([]byte("ONE"), 0); errno != 0 || n != 3 || !b.IsAppend() {
		t.Error(n, errno)
	}
	write(b, "four")
	if errno := b.SetAppend(false); errno != 0 {
		t.Error(errno)
	}
	if _, errno := b.Seek(4, io.SeekStart); errno != 0 {
		t.Error(errno)
	}
	write(b, "TWO")
	if text, err := os.ReadFile(filepath.Join(dir, "log")); string(text) != "ONE TWO three four" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestTimes(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, "file", "sub/", "link -> file")
	fs := shown(t, dir, false)
	const a, m = int64(123*time.Second + 4000), int64(223*time.Second + 5000)
	set := map[string]func(atim, mtim int64) sys.Errno{}
	for _, name := range []string{"file", "sub"} {
		set[name] = func(a, m int64) sys.Errno { return fs.Utimens(name, a, m) }
		set["open "+name] = open(t, fs, name, sys.O_RDONLY).Utimens
	}
	set["link to file"] = func(a, m int64) sys.Errno { return fs.Utimens("link", a, m) }
	for name, set := range set {
		path := name[strings.LastIndex(name, " ")+1:]
		for _, c := range [][4]int64{{a, m, a, m}, {sys.UTIME_OMIT, 1000, a, 1000}, {2000, sys.UTIME_OMIT, 2000, 1000}, {sys.UTIME_OMIT, sys.UTIME_OMIT, 2000, 1000}} {
			if errno := set(c[0], c[1]); errno != 0 {
				t.Errorf("%s: %v", name, errno)
			}
			if st, errno := fs.Stat(path); errno != 0 || st.Atim != c[2] || st.Mtim != c[3] {
				t.Errorf("%s: set %v, got %d and %d, %v", name, c, st.Atim, st.Mtim, errno)
			}
		}
	}
}

func TestClosedFiles(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, "file", "sub/")
	fs := shown(t, dir, false)
	for _, path := range []string{"file", "sub"} {
		f := open(t, fs, path, sys.O_RDONLY)
		if errno := f.Close(); errno != 0 {
			t.Fatal(errno)
		}
		if errno := f.Close(); errno != 0 {
			t.Errorf("%s closed again: %v", path, errno)
		}
		_, stat := f.Stat()
		_, read := f.Read(make([]byte, 1))
		_, readdir := f.Readdir(1)
		for name, errno := range map[string]sys.Errno{"stat": stat, "sync": f.Sync(), "datasync": f.Datasync(), "times": f.Utimens(0, 0)} {
			if errno != sys.EBADF {
				t.Errorf("%s of %s: %v", name, path, errno)
			}
		}
		if read == 0 || readdir == 0 {
			t.Errorf("%s: %v, %v", path, read, readdir)
		}
	}
}

func TestOpenFilesAreCapped(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, "file")
	d, err := Open(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	one, other := d.View(), d.View()
	var last sys.File
	for range maxOpen {
		last = open(t, one, "file", sys.O_RDONLY)
	}
	if errno := opens("file", sys.O_RDONLY)(one); errno != sys.EAGAIN {
		t.Errorf("one more: %v", errno)
	}
	if errno := opens("file", sys.O_RDONLY)(other); errno != 0 {
		t.Errorf("in another guest: %v", errno)
	}
	last.Close()
	last.Close()
	if errno := opens("file", sys.O_RDONLY)(one); errno != 0 {
		t.Errorf("after one was closed: %v", errno)
	}
}

func TestViewClosesWhatIsOpen(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, "file", "sub/")
	fs := shown(t, dir, false)
	files := []sys.File{open(t, fs, "file", sys.O_RDWR), open(t, fs, "sub", sys.O_RDONLY), open(t, fs, "new", sys.O_CREAT|sys.O_WRONLY)}
	files[0].Close()
	fs.Close()
	fs.Close()
	for i, f := range files {
		if _, errno := f.Stat(); errno != sys.EBADF {
			t.Errorf("file %d: %v", i, errno)
		}
	}
}

// TestFolderIsGone: wazero bears one error alone when it opens a mount.
func TestFolderIsGone(t *testing.T) {
	d, err := Open(t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	fs := d.View()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, errno := fs.OpenFile(".", sys.O_RDONLY, 0); errno != sys.ENOENT {
		t.Errorf("open the mount: %v", errno)
	}
	if _, errno := fs.Stat("file"); errno != sys.EBADF {
		t.Errorf("stat: %v", errno)
	}
}
