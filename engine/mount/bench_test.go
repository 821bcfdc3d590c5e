package mount_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/realm-mesh/realm/engine/mount"
)

// bothMounts are a folder as this package and as wazero itself mounts it.
func bothMounts(b *testing.B, do func(b *testing.B, fs sys.FS)) {
	for _, name := range []string{"mount", "wazero"} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "data"), make([]byte, 16<<20), 0o600); err != nil {
				b.Fatal(err)
			}
			for i := range 200 {
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("f", i)), nil, 0o600); err != nil {
					b.Fatal(err)
				}
			}
			if name == "wazero" {
				do(b, sysfs.DirFS(dir))
				return
			}
			d, err := mount.Open(dir, false)
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			do(b, d.View())
		})
	}
}

// BenchmarkCalls measures single calls, without a guest.
func BenchmarkCalls(b *testing.B) {
	check := func(b *testing.B, errno sys.Errno) {
		if errno != 0 {
			b.Fatal(errno)
		}
	}
	for _, size := range []int{4 << 10, 64 << 10} {
		buf := make([]byte, size)
		for _, way := range []string{"read", "write"} {
			b.Run(fmt.Sprintf("%s/%dKiB", way, size>>10), func(b *testing.B) {
				bothMounts(b, func(b *testing.B, fs sys.FS) {
					f, errno := fs.OpenFile("data", sys.O_RDWR, 0)
					check(b, errno)
					defer f.Close()
					b.SetBytes(int64(size))
					for i := 0; b.Loop(); i++ {
						if i%(16<<20/size) == 0 {
							_, errno := f.Seek(0, io.SeekStart)
							check(b, errno)
						}
						if way == "read" {
							_, errno = f.Read(buf)
						} else {
							_, errno = f.Write(buf)
						}
						check(b, errno)
					}
				})
			})
		}
	}
	b.Run("open", func(b *testing.B) {
		bothMounts(b, func(b *testing.B, fs sys.FS) {
			for b.Loop() {
				f, errno := fs.OpenFile("data", sys.O_RDONLY, 0)
				check(b, errno)
				f.Close()
			}
		})
	})
	b.Run("stat", func(b *testing.B) {
		bothMounts(b, func(b *testing.B, fs sys.FS) {
			for b.Loop() {
				_, errno := fs.Stat("data")
				check(b, errno)
			}
		})
	})
}

// BenchmarkGuest measures what a Go program gets of it.
func BenchmarkGuest(b *testing.B) {
	ctx := b.Context()
	r := wazero.NewRuntime(ctx)
	defer r.Close(context.Background())
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, r); err != nil {
		b.Fatal(err)
	}
	m, err := r.CompileModule(ctx, files)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		args  []string
		bytes int64
	}{
		{[]string{"write", "16", "32768"}, 16 << 20}, {[]string{"read", "16", "32768"}, 16 << 20},
		{[]string{"write", "16", "4096"}, 16 << 20}, {[]string{"read", "16", "4096"}, 16 << 20},
		{[]string{"open", "1000", "1"}, 0}, {[]string{"list", "10", "1"}, 0},
	} {
		b.Run(fmt.Sprintf("%s-%s-%s", c.args[0], c.args[1], c.args[2]), func(b *testing.B) {
			bothMounts(b, func(b *testing.B, fs sys.FS) {
				b.SetBytes(c.bytes)
				for b.Loop() {
					config := wazero.NewModuleConfig().WithName("").WithArgs(append([]string{"files", "/data"}, c.args...)...).
						WithStderr(os.Stderr).WithFSConfig(wazero.NewFSConfig().(sysfs.FSConfig).WithSysFSMount(fs, "/data")) //nolint:forcetypeassert // as wazero documents it
					i, err := r.InstantiateModule(ctx, m, config)
					if i != nil {
						i.Close(ctx)
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
