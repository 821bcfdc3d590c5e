package mount

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero/experimental/sys"
)

// remembered shows files in memory to one guest.
func remembered(t testing.TB, files map[string][]byte) (*Folder, *View) {
	t.Helper()
	d, err := Memory(files)
	if err != nil {
		t.Fatal(err)
	}
	v := d.View()
	t.Cleanup(func() {
		v.Close()
		if err := d.Close(); err != nil || len(v.open) != 0 {
			t.Errorf("%v; %d files are left open", err, len(v.open))
		}
	})
	return d, v
}

// TestMemoryRefuses has a table of what answers what.
func TestMemoryRefuses(t *testing.T) {
	_, v := remembered(t, map[string][]byte{"a": []byte("text")})
	for _, c := range []struct {
		name string
		do   func(sys.FS) sys.Errno
		want sys.Errno
	}{
		{"open what is missing", opens("no", sys.O_RDONLY), sys.ENOENT},
		{"open below what is missing", opens("no/a", sys.O_RDONLY), sys.ENOENT},
		{"open below a file", opens("a/b", sys.O_RDONLY), sys.ENOTDIR},
		{"open a file as a folder", opens("a", sys.O_DIRECTORY), sys.ENOTDIR},
		{"open a file with a slash", opens("a/", sys.O_RDONLY), sys.ENOTDIR},
		{"open a file", opens("a", sys.O_RDONLY), 0},
		{"open a file, slash in front", opens("/a", sys.O_RDONLY), 0},
		{"open the folder", opens(".", sys.O_RDONLY), 0},
		{"leave", opens("../a", sys.O_RDONLY), sys.EPERM},
		{"write", opens("a", sys.O_WRONLY), sys.EROFS},
		{"create", opens("b", sys.O_RDWR|sys.O_CREAT), sys.EROFS},
		{"truncate", opens("a", sys.O_TRUNC), sys.EROFS},
		{"mkdir", func(f sys.FS) sys.Errno { return f.Mkdir("d", 0o700) }, sys.EROFS},
		{"rmdir", func(f sys.FS) sys.Errno { return f.Rmdir("a") }, sys.EROFS},
		{"unlink", func(f sys.FS) sys.Errno { return f.Unlink("a") }, sys.EROFS},
		{"rename", func(f sys.FS) sys.Errno { return f.Rename("a", "b") }, sys.EROFS},
		{"link", func(f sys.FS) sys.Errno { return f.Link("a", "b") }, sys.EROFS},
		{"symlink", func(f sys.FS) sys.Errno { return f.Symlink("a", "b") }, sys.EROFS},
		{"chmod", func(f sys.FS) sys.Errno { return f.Chmod("a", 0o700) }, sys.EROFS},
		{"times", func(f sys.FS) sys.Errno { return f.Utimens("a", 1, 1) }, sys.EROFS},
		{"readlink", func(f sys.FS) sys.Errno { _, e := f.Readlink("a"); return e }, sys.EINVAL},
		{"readlink of nothing", func(f sys.FS) sys.Errno { _, e := f.Readlink("b"); return e }, sys.ENOENT},
		{"lstat below a file", func(f sys.FS) sys.Errno { _, e := f.Lstat("a/b"); return e }, sys.ENOTDIR},
	} {
		if got := c.do(v); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestMemoryReads(t *testing.T) {
	own := []byte("hello")
	_, v := remembered(t, map[string][]byte{"b": own, "a": nil, "c": []byte("x")})
	own[0] = 'J' // it has a copy
	if got := list(t, v, "/"); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%q", got)
	}
	f := open(t, v, "b", sys.O_RDONLY)
	buf := make([]byte, 4)
	for _, want := range []string{"hell", "o", ""} {
		if n, errno := f.Read(buf); errno != 0 || string(buf[:n]) != want {
			t.Errorf("%q, %v", buf[:n], errno)
		}
	}
	if n, errno := f.Pread(buf, 3); errno != 0 || string(buf[:n]) != "lo" {
		t.Errorf("%q, %v", buf[:n], errno)
	}
	if n, errno := f.Pread(buf, 1<<40); n != 0 || errno != 0 {
		t.Errorf("%d, %v", n, errno)
	}
	for _, c := range []struct {
		off, at int64
		whence  int
		errno   sys.Errno
	}{{-2, 3, io.SeekEnd, 0}, {-1, 2, io.SeekCurrent, 0}, {-3, 0, io.SeekCurrent, sys.EINVAL}, {1<<63 - 1, 0, io.SeekEnd, sys.EINVAL}, {9, 9, io.SeekStart, 0}, {0, 0, 7, sys.EINVAL}} {
		if at, errno := f.Seek(c.off, c.whence); at != c.at || errno != c.errno {
			t.Errorf("seek %d from %d: %d, %v", c.off, c.whence, at, errno)
		}
	}
	st, errno := f.Stat()
	again, errno2 := v.Stat("b")
	if errno != 0 || errno2 != 0 || st != again || st.Size != 5 || st.Mode != 0o400 || st.Ino != 3 {
		t.Errorf("%+v, %+v", st, again)
	}
	if dir, errno := v.Stat("/"); errno != 0 || dir.Mode != fs.ModeDir|0o500 || dir.Ino == st.Ino || dir.Dev != st.Dev {
		t.Errorf("%+v, %v", dir, errno)
	}
	if _, errno := f.Write(buf); errno != sys.EBADF {
		t.Error(errno)
	}
	if errno := f.Utimens(1, 1); errno != sys.EROFS {
		t.Error(errno)
	}
}

func TestMemoryIsDropped(t *testing.T) {
	d, v := remembered(t, map[string][]byte{"a": []byte("secret")})
	bytesOf := d.memory.files[0]
	f, dir := open(t, v, "a", sys.O_RDONLY), open(t, v, ".", sys.O_RDONLY)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytesOf, make([]byte, 6)) {
		t.Errorf("%q is left", bytesOf)
	}
	_, read := f.Read(make([]byte, 9))
	_, stat := f.Stat()
	_, seek := f.Seek(0, io.SeekEnd)
	_, names := dir.Readdir(-1)
	_, name := v.Stat("a")
	for i, errno := range []sys.Errno{read, stat, seek, names, name, opens("a", sys.O_RDONLY)(v)} {
		if errno != sys.EBADF {
			t.Errorf("%d: %v", i, errno)
		}
	}
}

func TestMemoryBounds(t *testing.T) {
	many := map[string][]byte{}
	for i := range MaxMemoryFiles {
		many[fmt.Sprint(i)] = nil
	}
	if _, err := Memory(many); err != nil {
		t.Error(err)
	}
	many["more"] = nil
	for name, files := range map[string]map[string][]byte{
		"too many": many, "too large": {"a": make([]byte, MaxMemoryBytes+1)}, "no name": {"": nil}, "the folder": {".": nil},
		"its parent": {"..": nil}, "a path": {"a/b": nil}, "a path of Windows": {`a\b`: nil}, "NUL": {"a\x00": nil},
		"a line": {"a\n": nil}, "no UTF-8": {"\xff": nil}, "too long": {strings.Repeat("a", 256): nil},
	} {
		if d, err := Memory(files); err == nil || d != nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := Memory(map[string][]byte{"a": make([]byte, MaxMemoryBytes)}); err != nil {
		t.Error(err)
	}
}

// FuzzMemory looks for names that are taken and then not found, or found in other words.
func FuzzMemory(f *testing.F) {
	for _, name := range []string{"a", ".", "..", "a/b", "/a", "...", "a ", "\u202e", `c:\x`, "é"} {
		f.Add(name, name)
	}
	f.Fuzz(func(t *testing.T, name, asked string) {
		d, err := Memory(map[string][]byte{name: []byte("x")})
		if err != nil {
			return
		}
		defer d.Close()
		v := d.View()
		defer v.Close()
		if st, errno := v.Stat(name); errno != 0 || st.Size != 1 {
			t.Errorf("%q: %+v, %v", name, st, errno)
		}
		if st, errno := v.Stat(asked); errno == 0 && !st.Mode.IsDir() && strings.Trim(strings.ReplaceAll(asked, "./", ""), "/") != name {
			t.Errorf("%q is found as %q", name, asked)
		}
	})
}
