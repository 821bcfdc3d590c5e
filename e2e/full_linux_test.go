package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/internal/kit/hosttest"
)

// TestFullStore fills the disk of a node under its store: what does not fit is refused
// in words, and the node works on.
func TestFullStore(t *testing.T) {
	dir := hosttest.MountTmpfs(t, "size=256m")
	n := newNode(t, "node", "")
	n.Home = filepath.Join(dir, "home")
	n.Env = append(n.Env, "REALM_STORAGE_QUOTA_MB=1000")
	do(t, n, "init")
	start(t, n)
	do(t, n, "push", "--name", "before", "--file", sample("ticker"))
	big, d := randomFile(t, 50, 250*mib)
	refuse(t, n, []string{"MiB"}, "storage", "put", big)
	if holds(testContext(t), n, d) {
		t.Error("a blob that did not fit is said to be here")
	}
	small, e := randomFile(t, 51, 20*mib)
	storePut(t, n, small, e)
	if got := storageOf(t, n); got.Stored > 120*mib {
		t.Errorf("%d bytes stay of what was refused", got.Stored)
	}
	do(t, n, "push", "--name", "after", "--http", "cgi", "--file", sample("hello-cgi"))
}

// TestFullDisk fills a node's disk. Pushes are refused in words, what runs goes
// on, and with space back all is well without a restart.
func TestFullDisk(t *testing.T) {
	mount := hosttest.MountTmpfs(t, "size=192m")
	n := newNode(t, "node", "")
	n.Home = filepath.Join(mount, "home")
	do(t, n, "init")
	start(t, n)
	do(t, n, "fn", "deploy", "--wasm", sample("double"), "--name", "double")

	filler := filepath.Join(mount, "filler")
	fill(t, filler)
	refuse(t, n, []string{"disk full"}, "push", "--name", "late", "--file", sample("ticker"), "--timeout", "15s")
	unhurt(t, n)

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	until(t, "a push with space back", func(ctx context.Context) error {
		_, err := n.Do(ctx, "push", "--name", "late", "--file", sample("ticker"))
		return err
	})
	unhurt(t, n)
}

// TestFullDiskOfAFile gets a blob into a file on a disk that has no room for it.
func TestFullDiskOfAFile(t *testing.T) {
	n := startNode(t)
	path, d := randomFile(t, 63, 20*mib)
	storePut(t, n, path, d)
	small := hosttest.MountTmpfs(t, "size=4m")
	for _, script := range []string{"$realm storage get " + d.String() + " > out", "$realm storage get " + d.String() + " -o named"} {
		if out, code := shell(t, n, small, script); code != 1 || !strings.Contains(out, "no space left") {
			t.Errorf("%s: exit %d\n%s", script, code, out)
		}
		if all, err := os.ReadDir(small); err != nil || len(all) != 1 || all[0].Name() != "out" {
			t.Errorf("%s leaves %v, %v", script, all, err)
		}
		if err := os.Truncate(filepath.Join(small, "out"), 0); err != nil {
			t.Error(err)
		}
	}
	if got := storageOf(t, n); got.Full || got.Blobs != 1 {
		t.Errorf("the store: %+v", got)
	}
}
