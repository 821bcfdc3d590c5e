package wasi_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/mount"
	"github.com/realm-mesh/realm/engine/wasi"
)

const fileOf = "filesystem/types [method]descriptor."

// Cases of error-code, and flags.
const (
	exist, invalid, isDirectory, noEntry, notDirectory = uint32(7), uint32(12), uint32(14), uint32(20), uint32(24)
	notEmpty, unsupported, notPermitted, readOnly      = uint32(25), uint32(27), uint32(31), uint32(33)
	badDescriptor, crossDevice, tooLong                = uint32(3), uint32(36), uint32(18)

	noFlags, followed               = uint32(0), uint32(1)
	create, directory, excl, trunc  = uint32(1), uint32(2), uint32(4), uint32(8)
	readable, writable, mutatesDirs = uint32(1), uint32(2), uint32(32)
)

// folder returns a guest that sees a folder, and the folder's descriptor.
func folder(t *testing.T, ro bool) (*guest, wit.Handle, string) {
	dir := t.TempDir()
	f, err := mount.Open(dir, ro)
	if err != nil {
		t.Fatal(err)
	}
	g, d := shows(t, f)
	return g, d, dir
}

// shows returns a guest that sees f, and the folder's descriptor.
func shows(t *testing.T, f *mount.Folder) (*guest, wit.Handle) {
	g := newGuest(t, wasi.Env{Mounts: []wasi.Mount{{Guest: "/data", Folder: f}}})
	t.Cleanup(func() { g.Close(); f.Close() })
	list := as[[]any](g.call("filesystem/preopens get-directories"))
	if len(list) != 1 || as[[]any](list[0])[1] != "/data" {
		t.Fatalf("folders: %v", list)
	}
	return g, as[wit.Handle](as[[]any](list[0])[0])
}

func (g *guest) open(d wit.Handle, path string, open, flags uint32) wit.Handle {
	return as[wit.Handle](g.ok(fileOf+"open-at", d, followed, path, open, flags))
}

func content(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFiles(t *testing.T) {
	g, root, dir := folder(t, false)
	f := g.open(root, "f", create|excl, readable|writable)
	if n := g.ok(fileOf+"write", f, []byte("hello"), uint64(2)); n != uint64(5) {
		t.Errorf("wrote %v", n)
	}
	if got := content(t, dir, "f"); got != "\x00\x00hello" {
		t.Errorf("%q", got)
	}
	r := as[[]any](g.ok(fileOf+"read", f, uint64(1)<<63, uint64(3)))
	if string(as[[]byte](r[0])) != "ello" {
		t.Errorf("read %q", r)
	}
	if r := as[[]any](g.ok(fileOf+"read", f, uint64(9), uint64(7))); r[1] != true {
		t.Errorf("read at the end: %v", r)
	}
	g.fails(fileOf+"read", f, uint64(9), uint64(1)<<63)
	g.ok(fileOf+"set-size", f, uint64(4))
	g.fails(fileOf+"set-size", f, uint64(1)<<63)
	g.ok(fileOf+"sync", f)
	g.ok(fileOf+"sync-data", f)
	g.ok(fileOf+"advise", f, uint64(0), uint64(1), uint32(0))
	if g.ok(fileOf+"get-type", f) != uint32(6) || g.ok(fileOf+"get-type", root) != uint32(3) || g.ok(fileOf+"get-flags", f) != readable|writable {
		t.Error("type or flags")
	}
	g.ok(fileOf+"set-times", f, wit.Choice{Case: 2, Value: []any{uint64(1000), uint32(5)}}, wit.Choice{Case: 2, Value: []any{uint64(2000), uint32(0)}})
	s := as[[]any](g.ok(fileOf+"stat", f))
	if s[0] != uint32(6) || s[1] != uint64(1) || s[2] != uint64(4) || as[[]any](as[wit.Choice](s[4]).Value)[0] != uint64(2000) {
		t.Errorf("stat: %v", s)
	}
	before := g.ok(fileOf+"metadata-hash", f)
	if same := g.ok(fileOf+"metadata-hash-at", root, noFlags, "f"); as[[]any](same)[0] != as[[]any](before)[0] {
		t.Error("hashes of one file differ")
	}
	g.ok(fileOf+"set-times-at", root, followed, "f", wit.Choice{}, wit.Choice{Case: 1})
	if after := as[[]any](g.ok(fileOf+"metadata-hash", f)); after[0] == as[[]any](before)[0] {
		t.Error("the hash stays when the file changes")
	}
	if !as[bool](g.call(fileOf+"is-same-object", f, g.open(root, "./x/../f", 0, readable))) || as[bool](g.call(fileOf+"is-same-object", f, root)) {
		t.Error("is-same-object")
	}
	for name, args := range map[string][]any{"out of range": {wit.Choice{}, wit.Choice{Case: 2, Value: []any{^uint64(0), uint32(0)}}}} {
		if g.fails(fileOf+"set-times", append([]any{f}, args...)...) != invalid {
			t.Error(name)
		}
	}
}

func TestFileStreams(t *testing.T) {
	g, root, dir := folder(t, false)
	f := g.open(root, "f", create, readable|writable)
	w := as[wit.Handle](g.ok(fileOf+"write-via-stream", f, uint64(1)))
	g.write(w, "one")
	g.write(w, "two")
	a := as[wit.Handle](g.ok(fileOf+"append-via-stream", f))
	g.write(a, "!")
	g.ok(fileOf+"write", f, []byte("0"), uint64(0))
	g.write(a, "?")
	if got := content(t, dir, "f"); got != "0onetwo!?" {
		t.Errorf("%q", got)
	}
	r := as[wit.Handle](g.ok(fileOf+"read-via-stream", f, uint64(4)))
	g.drop("filesystem/types descriptor", f) // streams go on
	if text, end := g.readAll(r); text != "two!?" || end != closed {
		t.Errorf("%q, %v", text, end)
	}
	if n := g.ok(out+"check-write", w); as[uint64](n) == 0 {
		t.Error("no room in a file")
	}

	ro := g.open(root, "f", 0, readable)
	if g.fails(fileOf+"write-via-stream", ro, uint64(0)) != badDescriptor || g.fails(fileOf+"write", ro, []byte("x"), uint64(0)) != badDescriptor ||
		g.fails(fileOf+"read-via-stream", root, uint64(0)) != isDirectory {
		t.Error("streams of what is not open for them")
	}
	over := as[wit.Handle](g.ok(fileOf+"write-via-stream", g.open(root, "f", 0, writable), uint64(1)<<63))
	failure := as[wit.Choice](g.fails(out+"blocking-write-and-flush", over, []byte("x")))
	if code := g.call("filesystem/types filesystem-error-code", failure.Value); code != wit.Some(invalid) {
		t.Errorf("error-code %v", code)
	}
	if code := g.call("http/types http-error-code", failure.Value); code != wit.None() {
		t.Errorf("http error-code %v", code)
	}
	if g.fails(out+"check-write", over) != closed {
		t.Error("a stream that has failed goes on")
	}
}

func TestFolders(t *testing.T) {
	g, root, dir := folder(t, false)
	g.ok(fileOf+"create-directory-at", root, "d")
	g.ok(fileOf+"create-directory-at", root, "d/e/")
	d := g.open(root, "d", directory, readable|mutatesDirs)
	g.open(d, "f", create, writable)
	want := map[string]uint32{"e": 3, "f": 6}
	for n := range 100 {
		name := "n" + strings.Repeat("x", n)
		want[name] = 6
		g.drop("filesystem/types descriptor", g.open(d, name, create, writable))
	}
	list := as[wit.Handle](g.ok(fileOf+"read-directory", d))
	for {
		o := as[wit.Choice](g.ok("filesystem/types [method]directory-entry-stream.read-directory-entry", list))
		if !o.IsSome() {
			break
		}
		e := as[[]any](o.Value)
		if kind, ok := want[as[string](e[1])]; !ok || kind != e[0] {
			t.Errorf("entry %v", e)
		}
		delete(want, as[string](e[1]))
	}
	g.drop("filesystem/types directory-entry-stream", list)
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
	g.ok(fileOf+"symlink-at", d, "f", "l")
	g.ok(fileOf+"link-at", d, noFlags, "f", root, "hard")
	g.ok(fileOf+"rename-at", d, "e", root, "moved")
	if g.ok(fileOf+"readlink-at", d, "l") != "f" || as[[]any](g.ok(fileOf+"stat-at", d, noFlags, "l"))[0] != uint32(5) ||
		as[[]any](g.ok(fileOf+"stat-at", d, followed, "l"))[1] != uint64(2) {
		t.Error("links")
	}
	g.ok(fileOf+"unlink-file-at", d, "l")
	g.ok(fileOf+"remove-directory-at", root, "moved")
	if _, err := os.Stat(filepath.Join(dir, "hard")); err != nil {
		t.Error(err)
	}
}

func TestFilesRefuse(t *testing.T) {
	g, root, dir := folder(t, false)
	g.ok(fileOf+"create-directory-at", root, "d")
	f := g.open(root, "f", create, readable)
	d := g.open(root, "d", directory, readable)
	g.ok(fileOf+"symlink-at", root, "f", "l")
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	at := func(d wit.Handle, path string, open, flags uint32) []any {
		return []any{d, followed, path, open, flags}
	}
	for n, c := range []struct {
		name string
		args []any
		want uint32
	}{
		{"open-at", at(root, "none", 0, readable), noEntry},
		{"open-at", at(root, "", 0, readable), noEntry},
		{"open-at", at(root, "f", create|excl, writable), exist},
		{"open-at", at(root, "f", directory, readable), notDirectory},
		{"open-at", at(root, "d", 0, writable), isDirectory},
		{"open-at", at(root, "f", trunc, readable), invalid},
		{"open-at", at(root, "f", excl, readable), invalid},
		{"open-at", at(root, "/etc/passwd", 0, readable), notPermitted},
		{"open-at", at(root, "../x", 0, readable), notPermitted},
		{"open-at", at(d, "../f", 0, readable), notPermitted},
		{"open-at", at(root, "d/../../f", 0, readable), notPermitted},
		{"open-at", at(root, "out", 0, readable), notPermitted},
		{"open-at", at(root, "a\x00b", 0, readable), invalid},
		{"open-at", at(root, strings.Repeat("x", 5000), 0, readable), tooLong},
		{"open-at", at(f, "x", 0, readable), notDirectory},
		{"open-at", []any{root, noFlags, "l", uint32(0), readable}, 15},
		{"readlink-at", []any{root, "out"}, notPermitted},
		{"readlink-at", []any{root, "f"}, invalid},
		{"symlink-at", []any{root, "/etc", "new"}, notPermitted},
		{"symlink-at", []any{root, "", "new"}, noEntry},
		{"link-at", []any{root, followed, "f", root, "g"}, invalid},
		{"set-times-at", []any{root, noFlags, "l", wit.Choice{Case: 1}, wit.Choice{}}, unsupported},
		{"remove-directory-at", []any{root, "f"}, notDirectory},
		{"unlink-file-at", []any{root, "d"}, isDirectory},
		{"create-directory-at", []any{root, "d"}, exist},
		{"rename-at", []any{root, "none", root, "x"}, noEntry},
		{"read-directory", []any{f}, notDirectory},
	} {
		if got := g.fails(fileOf+c.name, c.args...); got != c.want {
			t.Errorf("%d: %s %q: error %v, want %d", n, c.name, c.args[1:], got, c.want)
		}
	}
	g.open(d, "x", create, writable)
	if g.fails(fileOf+"remove-directory-at", root, "d") != notEmpty {
		t.Error("a folder with files in it was removed")
	}
}

func TestFilesOfReadOnlyFolder(t *testing.T) {
	g, root, dir := folder(t, true)
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if g.ok(fileOf+"get-flags", root) != readable {
		t.Error("flags")
	}
	now := wit.Choice{Case: 1}
	for name, args := range map[string][]any{
		"open-at":             {root, followed, "f", uint32(0), writable},
		"create-directory-at": {root, "d"},
		"unlink-file-at":      {root, "f"},
		"rename-at":           {root, "f", root, "g"},
		"symlink-at":          {root, "f", "g"},
		"set-times-at":        {root, followed, "f", now, now},
	} {
		if got := g.fails(fileOf+name, args...); got != readOnly {
			t.Errorf("%s: %v", name, got)
		}
	}
	if g.fails(fileOf+"open-at", root, followed, ".", directory, mutatesDirs) != readOnly {
		t.Error("a folder is open for changes")
	}
	if b := as[[]any](g.ok(fileOf+"read", g.open(root, "f", 0, readable), uint64(9), uint64(0)))[0]; string(as[[]byte](b)) != "x" {
		t.Errorf("read %q", b)
	}
}

func TestFilesOfTwoFolders(t *testing.T) {
	var mounts []wasi.Mount
	for _, name := range []string{"/a", "/b"} {
		f, err := mount.Open(t.TempDir(), false)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		mounts = append(mounts, wasi.Mount{Guest: name, Folder: f})
	}
	g := newGuest(t, wasi.Env{Mounts: mounts, Now: time.Now})
	defer g.Close()
	list := as[[]any](g.call("filesystem/preopens get-directories"))
	a, b := as[wit.Handle](as[[]any](list[0])[0]), as[wit.Handle](as[[]any](list[1])[0])
	g.open(a, "f", create, writable)
	if g.fails(fileOf+"rename-at", a, "f", b, "f") != crossDevice || g.fails(fileOf+"link-at", a, noFlags, "f", b, "f") != crossDevice {
		t.Error("a file went from one folder into the other")
	}
}
