package wasi_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/realm-mesh/realm/engine/component/wit"
	"github.com/realm-mesh/realm/engine/mount"
)

const tooLarge, noSpace = uint32(8), uint32(23)

// bounded returns a guest that sees a folder that holds a limit of bytes.
func bounded(t *testing.T, limit int64) (*guest, wit.Handle, *mount.Quota) {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	q, err := mount.NewQuota(root, limit)
	if err != nil {
		t.Fatal(err)
	}
	f := mount.New(root, false)
	f.Bound(q)
	g, d := shows(t, f)
	return g, d, q
}

func TestFullFolder(t *testing.T) {
	g, root, q := bounded(t, 10_000)
	f := g.open(root, "f", create, readable|writable)
	big := make([]byte, 9000)
	if n := g.ok(fileOf+"write", f, big, uint64(0)); n != uint64(8192) {
		t.Errorf("wrote %v", n)
	}
	for name, code := range map[string]any{
		"write":    g.fails(fileOf+"write", f, big, uint64(8192)),
		"set-size": g.fails(fileOf+"set-size", f, uint64(8193)),
		"mkdir":    g.fails(fileOf+"create-directory-at", root, "d"),
		"symlink":  g.fails(fileOf+"symlink-at", root, "f", "l"),
		"link":     g.fails(fileOf+"link-at", root, noFlags, "f", root, "l"),
		"open":     g.fails(fileOf+"open-at", root, followed, "new", create, writable),
	} {
		if code != noSpace {
			t.Errorf("%s: %v", name, code)
		}
	}
	if code := g.fails(fileOf+"set-size", f, uint64(1)<<63-1); code != tooLarge {
		t.Errorf("too large: %v", code)
	}
	w := as[wit.Handle](g.ok(fileOf+"write-via-stream", f, uint64(8000)))
	failure := as[wit.Choice](g.fails(out+"blocking-write-and-flush", w, make([]byte, 4000)))
	if code := g.call("filesystem/types filesystem-error-code", failure.Value); code != wit.Some(noSpace) {
		t.Errorf("stream: %v", code)
	}
	g.ok(fileOf+"set-size", f, uint64(0))
	if q.Used() != 4096 {
		t.Errorf("%d used", q.Used())
	}
}

func TestFolderInMemory(t *testing.T) {
	d, err := mount.Memory(map[string][]byte{"a": []byte("text"), "b": nil})
	if err != nil {
		t.Fatal(err)
	}
	g, root := shows(t, d)
	f := g.open(root, "a", 0, readable)
	if r := as[[]any](g.ok(fileOf+"read", f, uint64(9), uint64(1))); !bytes.Equal(as[[]byte](r[0]), []byte("ext")) {
		t.Errorf("%q", r)
	}
	if s := as[[]any](g.ok(fileOf+"stat-at", root, followed, "a")); s[0] != uint32(6) || s[2] != uint64(4) {
		t.Errorf("%v", s)
	}
	names := as[wit.Handle](g.ok(fileOf+"read-directory", root))
	for _, want := range []string{"a", "b"} {
		e := as[wit.Choice](g.ok("filesystem/types [method]directory-entry-stream.read-directory-entry", names))
		if as[[]any](e.Value)[1] != want {
			t.Errorf("%v", e)
		}
	}
	for name, c := range map[string]struct{ got, want any }{
		"missing":  {g.fails(fileOf+"open-at", root, followed, "no", noFlags, readable), noEntry},
		"below":    {g.fails(fileOf+"open-at", root, followed, "a/b", noFlags, readable), notDirectory},
		"write":    {g.fails(fileOf+"open-at", root, followed, "a", noFlags, writable), readOnly},
		"create":   {g.fails(fileOf+"open-at", root, followed, "c", create, writable), readOnly},
		"unlink":   {g.fails(fileOf+"unlink-file-at", root, "a"), readOnly},
		"readlink": {g.fails(fileOf+"readlink-at", root, "a"), invalid},
		"times":    {g.fails(fileOf+"set-times-at", root, followed, "a", wit.Choice{Case: 1}, wit.Choice{Case: 1}), readOnly},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if code := g.fails(fileOf+"read", f, uint64(9), uint64(0)); code != badDescriptor {
		t.Errorf("read of what was dropped: %v", code)
	}
}
