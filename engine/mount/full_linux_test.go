package mount_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/mount"
)

// built builds one of the programs of C.
func built(t *testing.T, source string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.wasm")
	b, err := exec.CommandContext(t.Context(), "clang", "--target=wasm32-wasi", "--sysroot=/usr", "-O1", "-o", out, filepath.Join("testdata", source)).CombinedOutput()
	if err != nil {
		t.Skipf("this machine has no clang with wasi-libc: %v\n%s", err, b)
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// says is what the program prints when there is room for size bytes in its file.
func says(t *testing.T, got string, size int64) {
	t.Helper()
	for _, want := range []string{fmt.Sprintf("written %d, error 51\nsize %[1]d\n", size), "\nmkdir 51\n", "\nopen 51\n",
		"\ntruncate 51\n", "\ntoo large 22\n", "\nshrink 0\n", "\nagain 3000\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("it does not say %q but\n%s", want, got)
		}
	}
}

// TestFullDisk has a guest fill a file system of its own.
func TestFullDisk(t *testing.T) {
	wasm, dir := built(t, "full.c"), t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,nr_inodes=2"); err != nil {
		t.Skipf("this machine lets nobody here mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	got := runs(t, wasm, opened(t, false, dir), "/"+filepath.Base(dir)+"/f")
	// A tmpfs lets sparse files be of any size.
	got = strings.NewReplacer("truncate 0", "truncate 51", "too large 0", "too large 22").Replace(got)
	says(t, got, 1<<20)
}

// TestFullQuota has a guest fill what it may have of a folder.
func TestFullQuota(t *testing.T) {
	wasm, dir := built(t, "full.c"), t.TempDir()
	m := opened(t, false, dir)
	q := quota(t, dir, 100_000)
	m[0].Folder.Bound(q)
	says(t, runs(t, wasm, m, "/"+filepath.Base(dir)+"/f"), 98_304)
	if q.Used() != 4096 {
		t.Errorf("%d used", q.Used())
	}
}

// TestGuestReadsMemory has a guest see a folder in memory, beside one that is not.
func TestGuestReadsMemory(t *testing.T) {
	d, err := mount.Memory(map[string][]byte{"token": []byte("secret"), "other": nil})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	mounts := append(opened(t, false, t.TempDir()), engine.Mount{Guest: "/secrets", Folder: d})
	got := runs(t, built(t, "secrets.c"), mounts, "/secrets")
	want := ". .. other token \nread sec, pread ecret, at 5\nsize 6, file 1\nwrite 8\ncreate 69\nchange 69\n" +
		"missing 44\nbelow 54\nunlink 69\nmkdir 69\nreadlink 28\n"
	if got != want {
		t.Errorf("it says\n%s\nand not\n%s", got, want)
	}
}

func quota(t testing.TB, dir string, limit int64) *mount.Quota {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	q, err := mount.NewQuota(root, limit)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func runs(t *testing.T, wasm []byte, mounts []engine.Mount, args ...string) string {
	t.Helper()
	m := rig.Ready(t, wasm, 16)
	defer m.Release()
	var out strings.Builder
	if err := m.Run(t.Context(), engine.Env{Args: append([]string{"full"}, args...), Stdout: &out, Stderr: &out, Mounts: mounts}); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	return out.String()
}
