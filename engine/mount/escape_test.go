package mount

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tetratelabs/wazero/experimental/sys"
)

// jail makes a folder to mount, and one beside it that holds a secret.
func jail(t testing.TB) (inside, outside string) {
	t.Helper()
	top := t.TempDir()
	inside, outside = filepath.Join(top, "inside"), filepath.Join(top, "outside")
	tree(t, inside, "file", "sub/file", "sub/up -> ../file", "sub/out -> ../../outside", "dots -> ..", "far -> ../outside/secret",
		"abs -> "+outside, "loop -> loop", "two -> sub/out", "root -> /", "self -> .", "round -> sub/../sub/../../inside/file")
	tree(t, outside, "secret", "dir/")
	return inside, outside
}

// lead out of the jail, or would.
var lead = []string{
	"..", "../outside/secret", "/..", "sub/../../outside/secret", "sub/..", "./..", "sub/out", "sub/out/secret", "dots", "dots/outside/secret",
	"far", "abs", "abs/secret", "abs/", "two/secret", "two/dir", "root/etc/passwd", "root", "self/dots", "self/sub/out/secret",
	"round", "self/self/../..", "//..//outside", "sub/out/dir/", "abs/new", "sub/out/new", "far/",
}

func TestNothingLeavesTheFolder(t *testing.T) {
	inside, outside := jail(t)
	fs := shown(t, inside, false)
	before := snapshot(t, outside)
	for _, path := range lead {
		isLink := !strings.Contains(path, "..") && func() bool { _, errno := fs.Readlink(path); return errno == 0 }()
		tries := map[string]sys.Errno{
			"mkdir":       fs.Mkdir(path+"/new", 0o700),
			"rmdir":       fs.Rmdir(path),
			"chmod":       fs.Chmod(path, 0o777),
			"times":       fs.Utimens(path, 1, 1),
			"link from":   fs.Link(path+"/secret", "stolen"),
			"link to":     fs.Link("file", path+"/new"),
			"symlink":     fs.Symlink("file", path+"/new"),
			"rename from": fs.Rename(path+"/secret", "stolen"),
			"rename to":   fs.Rename("file", path+"/new"),
			"unlink in":   fs.Unlink(path + "/secret"),
		}
		for _, flag := range []sys.Oflag{sys.O_RDONLY, sys.O_RDWR, sys.O_RDWR | sys.O_CREAT, sys.O_DIRECTORY, sys.O_RDWR | sys.O_CREAT | sys.O_EXCL, sys.O_WRONLY | sys.O_TRUNC, sys.O_NOFOLLOW} {
			tries["open "+flagName(flag)] = opens(path, flag)(fs)
			tries["open below "+flagName(flag)] = opens(path+"/secret", flag)(fs)
		}
		_, tries["stat"] = fs.Stat(path)
		if !isLink { // the link itself is the guest's own
			_, tries["lstat"] = fs.Lstat(path)
			_, tries["readlink"] = fs.Readlink(path)
			tries["unlink"] = fs.Unlink(path)
			tries["rename"] = fs.Rename(path, "stolen")
			tries["link"] = fs.Link(path, "stolen")
		}
		for try, errno := range tries {
			if errno == 0 {
				t.Errorf("%s of %s succeeds", try, path)
			}
		}
	}
	if after := snapshot(t, outside); !slices.Equal(before, after) {
		t.Errorf("outside is changed:\n%v\n%v", before, after)
	}
	if got := opens("sub/up", sys.O_RDONLY)(fs); got != 0 {
		t.Errorf("a link that goes up and stays inside: %v", got)
	}
}

func flagName(f sys.Oflag) string {
	var out []string
	for name, flag := range map[string]sys.Oflag{"rdwr": sys.O_RDWR, "wronly": sys.O_WRONLY, "creat": sys.O_CREAT, "directory": sys.O_DIRECTORY,
		"excl": sys.O_EXCL, "trunc": sys.O_TRUNC, "nofollow": sys.O_NOFOLLOW} {
		if f&flag != 0 {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "|")
}

// snapshot is all that can be seen of a tree.
func snapshot(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		line := strings.TrimPrefix(path, dir) + " " + info.Mode().String() + " " + info.ModTime().Format(time.RFC3339Nano)
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += " " + string(text)
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRacesDoNotLeaveTheFolder has somebody put links in the way of a guest while it
// is on it.
func TestRacesDoNotLeaveTheFolder(t *testing.T) {
	inside, outside := jail(t)
	tree(t, inside, "door/secret", "door/dir/", "trap -> ../outside")
	if err := os.WriteFile(filepath.Join(inside, "door", "secret"), []byte("harmless"), 0o600); err != nil {
		t.Fatal(err)
	}
	before := snapshot(t, outside)
	stop := make(chan struct{})
	var swap sync.WaitGroup
	swap.Go(func() {
		at := func(name string) string { return filepath.Join(inside, name) }
		for {
			for _, move := range [][2]string{{"door", "aside"}, {"trap", "door"}, {"door", "trap"}, {"aside", "door"}} {
				if err := os.Rename(at(move[0]), at(move[1])); err != nil {
					t.Error(err)
					return
				}
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	fs := shown(t, inside, false)
	got := 0
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		if f, errno := fs.OpenFile("door/secret", sys.O_RDWR, 0); errno == 0 {
			got++
			text := make([]byte, 100)
			if n, errno := f.Pread(text, 0); errno != 0 || string(text[:n]) != "harmless" {
				t.Errorf("read %q, %v", text[:n], errno)
			}
			f.Close()
		}
		_ = opens("door/new", sys.O_RDWR|sys.O_CREAT)(fs)
		_ = fs.Unlink("door/new")
		_ = fs.Mkdir("door/made", 0o700)
		_ = fs.Rmdir("door/made")
		_ = fs.Rename("file", "door/moved")
		_ = fs.Rename("door/moved", "file")
		_ = fs.Chmod("door/dir", 0o700)
		_ = fs.Utimens("door/dir", 1, 1)
		_ = fs.Symlink("x", "door/link")
		_ = fs.Unlink("door/link")
	}
	close(stop)
	swap.Wait()
	if after := snapshot(t, outside); !slices.Equal(before, after) {
		t.Errorf("outside is changed:\n%v\n%v", before, after)
	}
	if got == 0 {
		t.Error("the guest has never come through")
	}
}

func FuzzPaths(f *testing.F) {
	for _, path := range append(lead, "file", "sub/", "", "/", ".", "a\x00b", "\\..\\outside", "C:/x", "NUL", "\xff", strings.Repeat("self/", 2000)) {
		f.Add(path, "new")
		f.Add("file", path)
	}
	inside, outside := jail(f)
	d, err := Open(inside, false)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { d.Close() })
	want := snapshot(f, outside)
	f.Fuzz(func(t *testing.T, a, b string) {
		fs := d.View()
		for _, flag := range []sys.Oflag{sys.O_RDONLY, sys.O_RDWR | sys.O_CREAT | sys.O_TRUNC, sys.O_DIRECTORY | sys.O_NOFOLLOW} {
			if file, errno := fs.OpenFile(a, flag, 0o600); errno == 0 {
				_, _ = file.Write([]byte("fuzz"))
				_, _ = file.Readdir(3)
				file.Close()
			}
		}
		_, _ = fs.Stat(a)
		_, _ = fs.Lstat(b)
		_, _ = fs.Readlink(a)
		_ = fs.Mkdir(b, 0o700)
		_ = fs.Chmod(a, 0o700)
		_ = fs.Utimens(b, 1, 1)
		_ = fs.Symlink(a, b)
		_ = fs.Link(a, b)
		_ = fs.Rename(a, b)
		_ = fs.Unlink(b)
		_ = fs.Rmdir(b)
		if got := snapshot(t, outside); !slices.Equal(want, got) {
			t.Fatalf("%q and %q change what is outside:\n%v\n%v", a, b, want, got)
		}
	})
}
