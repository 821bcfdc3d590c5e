//go:build unix

package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/e2e/internal/node"
)

// shell runs a script in dir, in which $realm is the command line of n, and returns what
// it says and how it ended.
func shell(t *testing.T, n *node.Node, dir, script string) (out string, code int) {
	t.Helper()
	cmd := n.Command(testContext(t))
	cmd.Path, cmd.Args, cmd.Dir = "/bin/sh", []string{"sh", "-c", script}, dir
	cmd.Env = append(cmd.Env, "realm="+filepath.Join(n.Bin, "realm"))
	b, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", script, err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// TestLocalFiles puts files and gets them in all the ways in which a shell can hand them
// over, whether the store can read and write them by itself or not.
func TestLocalFiles(t *testing.T) {
	n := startNode(t)
	dir := t.TempDir()
	blob := random(60, 20*mib)
	d := api.Sum(blob).String()
	if err := os.WriteFile(filepath.Join(dir, "in"), blob, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, script, says string }{
		{"a file", "$realm storage put in", "20.0 MiB of it new here"},
		{"a file, again", "$realm storage put in", "0 B of it new here"},
		{"standard input", "$realm storage put - < in", d},
		{"a pipe", "cat in | $realm storage put -", d},
		{"a named pipe", "mkfifo p && { cat in > p & $realm storage put p; }", d},
		{"a file without a name", "exec 3< in; ln in in2; $realm storage put - <&3", d},
		{"what follows stands behind it", "{ $realm storage put - && wc -c; } < in", "\n0\n"},
		{"a file that is read from its middle", "{ head -c 0; dd bs=1 count=1 of=/dev/null 2>&1; $realm storage put - --json; } < in", `"size":20971519`},
	} {
		if out, code := shell(t, n, dir, c.script); code != 0 || !strings.Contains(strings.ReplaceAll(out, `": `, `":`), c.says) {
			t.Errorf("%s: exit %d, want %q in\n%s", c.what, code, c.says, out)
		}
	}
	for _, c := range []struct {
		what, script string
		want         []byte
	}{
		{"a file", "$realm storage get $d -o out", blob},
		{"standard output", "$realm storage get $d > out", blob},
		{"a file that has more", "printf x > out; $realm storage get $d 1<> out", blob},
		{"at the end of a file", "printf before > out; $realm storage get $d >> out", append([]byte("before"), blob...)},
		{"between others", "{ printf before; $realm storage get $d; printf after; } > out", bytes.Join([][]byte{[]byte("before"), blob, []byte("after")}, nil)},
		{"a pipe", "$realm storage get $d | cat > out", blob},
		{"a device", "$realm storage get $d -o /dev/null && : > out", nil},
	} {
		if out, code := shell(t, n, dir, "rm -f out; d="+d+"; "+c.script); code != 0 {
			t.Errorf("%s: exit %d\n%s", c.what, code, out)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "out")); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %d bytes that are not the right ones, want %d: %v", c.what, len(got), len(c.want), err)
		}
	}
}

// TestLocalFileIsDamaged has the disk spoil a blob that no other member has: nothing of it
// that is wrong gets into a file, and the command says so.
func TestLocalFileIsDamaged(t *testing.T) {
	n := startNode(t)
	path, d := randomFile(t, 61, 20*mib)
	storePut(t, n, path, d)
	flipBit(t, n.Home)
	dir := t.TempDir()
	for _, c := range []struct{ script, says string }{
		{"$realm storage get " + d.String() + " > out", d.Short() + " is damaged on this node, or casd broke off"},
		{"$realm storage get " + d.String() + " -o named", "fetch " + d.Short() + " from the mesh"}, // it counts as gone now
	} {
		if out, code := shell(t, n, dir, c.script); code != 1 || !strings.Contains(out, c.says) {
			t.Errorf("%s: exit %d, want %q in\n%s", c.script, code, c.says, out)
		}
	}
	got, err := os.ReadFile(filepath.Join(dir, "out"))
	if err != nil || len(got) >= 20*mib || !bytes.HasPrefix(random(61, 20*mib), got) {
		t.Errorf("%d bytes are in the file: %v", len(got), err)
	}
	all, err := os.ReadDir(dir)
	if err != nil || len(all) != 1 {
		t.Errorf("left behind: %v, %v", all, err)
	}
}

// TestLocalFilesAreInterrupted ends commands as Ctrl-C does: of a put nothing stays, and of
// a get into a named file neither.
func TestLocalFilesAreInterrupted(t *testing.T) {
	n := startNode(t)
	dir := t.TempDir()
	big := filepath.Join(dir, "big")
	f, err := os.Create(big)
	if err == nil {
		err = errors.Join(f.Truncate(16<<30), f.Close()) // of nothing: it takes no room, but time
	}
	if err != nil {
		t.Fatal(err)
	}
	before := storageOf(t, n)
	put := n.Command(testContext(t), "storage", "put", big)
	interrupt(t, put, func(context.Context) error {
		if got := storageOf(t, n); got.Chunks == before.Chunks {
			return errors.New("no chunk yet")
		}
		return nil
	})
	until(t, "nothing of it is here", func(context.Context) error {
		if got := storageOf(t, n); got.Chunks != before.Chunks || got.Blobs != before.Blobs || got.Stored != before.Stored {
			return errors.New("something is left")
		}
		return nil
	})

	path, d := randomFile(t, 62, 64*mib)
	storePut(t, n, path, d)
	out := t.TempDir()
	get := n.Command(testContext(t), "storage", "get", d.String(), "-o", filepath.Join(out, "file"))
	interrupt(t, get, func(context.Context) error {
		if all, err := os.ReadDir(out); err != nil || len(all) == 0 {
			return errors.Join(err, errors.New("it has not begun"))
		}
		return nil
	})
	all, err := os.ReadDir(out)
	if err != nil || len(all) > 1 {
		t.Fatalf("%v, %v", all, err)
	}
	for _, e := range all { // it was quicker
		if b, err := os.ReadFile(filepath.Join(out, e.Name())); err != nil || api.Sum(b) != d {
			t.Errorf("%s: %d bytes of something else: %v", e.Name(), len(b), err)
		}
	}
}

// interrupt starts a command, and sends it an interrupt as soon as begun says so.
func interrupt(t *testing.T, cmd *exec.Cmd, begun func(context.Context) error) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	until(t, "it has begun", begun)
	if err := cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	_ = cmd.Wait() // how it has ended is looked at by what is left
}
