// Command files uses a folder, its first argument, as programs do, and prints what it
// sees. What it prints is the same wherever it runs.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// root is the folder.
var root string

func main() {
	root = os.Args[1]
	if len(os.Args) > 2 {
		move(os.Args[2], number(os.Args[3]), number(os.Args[4]))
		return
	}
	for _, part := range []func(){plain, flags, positions, names, folders, links, times, many, temporary, odd} {
		part()
	}
	walk()
}

func in(name string) string { return filepath.Join(root, name) }

// errnos are called differently on each system.
var errnos = map[syscall.Errno]string{
	syscall.ENOENT: "ENOENT", syscall.EEXIST: "EEXIST", syscall.ENOTDIR: "ENOTDIR", syscall.EISDIR: "EISDIR",
	syscall.ENOTEMPTY: "ENOTEMPTY", syscall.EINVAL: "EINVAL", syscall.ELOOP: "ELOOP", syscall.ENAMETOOLONG: "ENAMETOOLONG",
	syscall.EBADF: "EBADF", syscall.EPERM: "EPERM", syscall.EACCES: "EACCES", syscall.EROFS: "EROFS",
}

// say prints what an operation has come to.
func say(what string, err error, more ...any) {
	text := "ok"
	if err != nil {
		text = "another error: " + strings.ReplaceAll(err.Error(), root, "ROOT")
		for e, name := range errnos {
			if errors.Is(err, e) {
				text = name
			}
		}
	}
	fmt.Println(append([]any{what + ":", text}, more...)...)
}

func plain() {
	say("mkdirall", os.MkdirAll(in("a/b/c"), 0o700))
	say("mkdirall again", os.MkdirAll(in("a/b/c"), 0o700))
	say("mkdir again", os.Mkdir(in("a"), 0o700))
	say("mkdir in nothing", os.Mkdir(in("no/dir"), 0o700))
	say("write", os.WriteFile(in("a/file"), []byte("hello"), 0o600))
	text, err := os.ReadFile(in("a/file"))
	say("read", err, string(text))
	_, err = os.ReadFile(in("a/none"))
	say("read nothing", err)
	_, err = os.ReadFile(in("a"))
	say("read a folder", err)
	say("write a folder", os.WriteFile(in("a"), nil, 0o600))
	say("write below a file", os.WriteFile(in("a/file/x"), nil, 0o600))
	info, err := os.Stat(in("a/file"))
	say("stat", err, info.Name(), info.Size(), info.IsDir(), info.Mode().Type())
	other, err := os.Stat(in("a/../a/file"))
	say("stat again", err, os.SameFile(info, other))
}

func flags() {
	f, err := os.OpenFile(in("log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	say("open to append", err)
	g, err := os.OpenFile(in("log"), os.O_APPEND|os.O_RDWR, 0o600)
	say("open again", err)
	for i := range 5 {
		fmt.Fprintf(f, "f%d ", i)
		fmt.Fprintf(g, "g%d ", i)
	}
	say("close", errors.Join(f.Close(), g.Close()))
	text, err := os.ReadFile(in("log"))
	say("appended", err, string(text))
	_, err = os.OpenFile(in("log"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	say("exclusive", err)
	f, err = os.OpenFile(in("log"), os.O_RDONLY, 0)
	say("open to read", err)
	_, err = f.Write([]byte("x"))
	say("write there", err)
	say("close", f.Close())
	_, err = f.Read(make([]byte, 1))
	say("read closed", errors.Unwrap(err), errors.Is(err, os.ErrClosed))
	f, err = os.Create(in("log"))
	info, _ := f.Stat()
	say("truncated", err, info.Size())
	say("sync", f.Sync())
	say("close", f.Close())
}

func positions() {
	f, err := os.OpenFile(in("seek"), os.O_RDWR|os.O_CREATE, 0o600)
	say("create", err)
	n, err := f.WriteString("0123456789")
	say("write", err, n)
	n, err = f.WriteAt([]byte("xyz"), 20)
	say("write at", err, n)
	at, err := f.Seek(-5, io.SeekEnd)
	say("seek", err, at)
	rest, err := io.ReadAll(f)
	say("read the rest", err, strconv.Quote(string(rest)))
	_, err = f.Seek(-1, io.SeekStart)
	say("seek before", err)
	buf := make([]byte, 4)
	n, err = f.ReadAt(buf, 8)
	say("read at", err, n, strconv.Quote(string(buf)))
	n, err = f.ReadAt(buf, 21)
	say("read at the end", nil, n, err == io.EOF)
	say("truncate", f.Truncate(5))
	say("grow", os.Truncate(in("seek"), 7))
	say("close", f.Close())
	text, err := os.ReadFile(in("seek"))
	say("now", err, strconv.Quote(string(text)))
}

func names() {
	for _, name := range []string{"ä ö ü", "日本", "with space", ".hidden", "a+b=c&d", strings.Repeat("n", 255)} {
		say("odd name", os.WriteFile(in(name), []byte(name), 0o600))
		text, err := os.ReadFile(in(name))
		say("read", err, string(text) == name)
	}
	say("long name", os.WriteFile(in(strings.Repeat("n", 256)), nil, 0o600))
	_, err := os.Stat(in("log") + "/")
	say("file with a slash", err)
	_, err = os.Stat(in("a") + "/")
	say("folder with a slash", err)
}

func folders() {
	say("rename", os.Rename(in("a/file"), in("a/b/moved")))
	say("rename nothing", os.Rename(in("a/file"), in("a/b/moved")))
	say("write", os.WriteFile(in("over"), []byte("old"), 0o600))
	say("rename over", os.Rename(in("a/b/moved"), in("over")))
	text, err := os.ReadFile(in("over"))
	say("read", err, string(text))
	say("rename folder", os.Rename(in("a/b"), in("b")))
	say("rename over file", os.Rename(in("b"), in("over")))
	say("rename over full", os.Rename(in("a"), in("b")))
	say("rename into itself", os.Rename(in("b"), in("b/c/b")))
	say("remove full", os.Remove(in("b")))
	say("remove", os.Remove(in("b/c")))
	say("remove again", os.Remove(in("b/c")))
	say("remove all", os.RemoveAll(in("b")))
	say("remove all again", os.RemoveAll(in("b")))
	say("copy", os.CopyFS(in("copy"), os.DirFS(in("a"))))
}

func links() {
	say("symlink", os.Symlink("over", in("link")))
	say("symlink again", os.Symlink("over", in("link")))
	say("symlink to a folder", os.Symlink("a", in("dir")))
	say("symlink up", os.Symlink("../over", in("a/up")))
	say("symlink to nothing", os.Symlink("none", in("loose")))
	say("loop", os.Symlink("loop", in("loop")))
	for _, name := range []string{"link", "dir", "a/up", "dir/up", "loose", "loop", "over"} {
		target, err := os.Readlink(in(name))
		say("readlink "+name, err, target)
		text, err := os.ReadFile(in(name))
		say("read "+name, err, string(text))
		info, err := os.Lstat(in(name))
		say("lstat "+name, err, info.Mode().Type())
	}
	say("write through", os.WriteFile(in("dir/new"), []byte("through"), 0o600))
	say("create through", os.WriteFile(in("loose"), []byte("created"), 0o600))
	text, err := os.ReadFile(in("none"))
	say("read", err, string(text))
	say("hard link", os.Link(in("over"), in("hard")))
	a, _ := os.Stat(in("over"))
	b, _ := os.Stat(in("hard"))
	say("the same", nil, os.SameFile(a, b))
	say("remove one", os.Remove(in("over")))
	text, err = os.ReadFile(in("hard"))
	say("read the other", err, string(text))
	say("remove link", os.Remove(in("dir")))
}

func times() {
	at := time.Date(2001, 2, 3, 4, 5, 6, 789_000_000, time.UTC)
	for _, name := range []string{"hard", "a"} {
		say("chtimes", os.Chtimes(in(name), at, at.Add(time.Second)))
		info, err := os.Stat(in(name))
		say("stat", err, info.ModTime().UTC())
	}
	say("chtimes of nothing", os.Chtimes(in("nothing"), at, at))
}

func many() {
	const count = 2500
	say("mkdir", os.Mkdir(in("many"), 0o700))
	for i := range count {
		if err := os.WriteFile(in(fmt.Sprintf("many/%04d-%s", i, strings.Repeat("x", i%50))), nil, 0o600); err != nil {
			say("write", err)
		}
	}
	entries, err := os.ReadDir(in("many"))
	say("readdir", err, len(entries), entries[0].Name(), entries[count-1].Name())
	d, err := os.Open(in("many"))
	say("open", err)
	var all []string
	for {
		some, err := d.Readdirnames(17)
		all = append(all, some...)
		if err != nil {
			say("end", nil, err == io.EOF)
			break
		}
	}
	slices.Sort(all)
	say("in parts", nil, len(all), len(slices.Compact(all)))
	_, err = d.Seek(0, io.SeekStart)
	say("rewind", nil)
	say("close", d.Close())
	say("remove all", os.RemoveAll(in("many")))
}

func temporary() {
	f, err := os.CreateTemp(root, "temp-*")
	say("create temp", err)
	w := bufio.NewWriter(f)
	for i := range 10_000 {
		fmt.Fprintln(w, "line", i)
	}
	say("flush", w.Flush())
	say("remove while open", os.Remove(f.Name()))
	_, err = f.Seek(0, io.SeekStart)
	say("seek", err)
	lines := 0
	for s := bufio.NewScanner(f); s.Scan(); lines++ {
	}
	say("lines", f.Close(), lines)
	dir, err := os.MkdirTemp(root, "dir-*")
	say("mkdir temp", err)
	say("remove", os.Remove(dir))
}

// odd paths stay in the folder.
func odd() {
	_, err := os.Stat(in("a") + "/./../a//up")
	say("not clean", err)
	_, err = os.Stat(in("./"))
	say("itself", err)
	inside, err := os.OpenRoot(root)
	say("open root", err)
	text, err := inside.ReadFile("hard")
	say("read in root", err, string(text))
	_, err = inside.Open("../x")
	say("leave root", nil, err != nil)
	say("close", inside.Close())
}

func walk() {
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			say("walk "+path, err)
			return nil
		}
		info, err := e.Info()
		say("walk "+path, err, e.Type(), info.Size() > 0)
		return nil
	})
	say("walk", err)
}

// move writes and reads a file of so many MiB, in blocks of so many bytes, or opens
// one so often.
func move(how string, count, block int) {
	buf := make([]byte, block)
	switch how {
	case "open":
		for range count {
			f, err := os.Open(in("data"))
			must(err)
			must(f.Close())
		}
		return
	case "list":
		for range count {
			_, err := os.ReadDir(root)
			must(err)
		}
		return
	}
	flag := os.O_RDONLY
	if how == "write" {
		flag = os.O_WRONLY | os.O_CREATE
	}
	f, err := os.OpenFile(in("data"), flag, 0o600)
	must(err)
	for range count << 20 / block {
		if how == "write" {
			_, err = f.Write(buf)
		} else {
			_, err = io.ReadFull(f, buf)
		}
		must(err)
	}
	must(f.Close())
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	must(err)
	return n
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
