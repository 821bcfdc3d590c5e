//go:build unix

package mount

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/tetratelabs/wazero/experimental/sys"
	"golang.org/x/sys/unix"
)

// TestFilesAndFoldersAlone has a guest open what would have it wait, or act.
func TestFilesAndFoldersAlone(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	tree(t, dir, "link -> fifo")
	if l, err := net.Listen("unix", filepath.Join(dir, "socket")); err == nil {
		defer l.Close()
	} else if len(dir) < 90 { // else the name is too long for a socket
		t.Fatal(err)
	}
	fs := shown(t, dir, false)
	for _, path := range []string{"fifo", "link", "socket"} {
		for _, flag := range []sys.Oflag{sys.O_RDONLY, sys.O_WRONLY, sys.O_RDWR, sys.O_RDWR | sys.O_CREAT, sys.O_WRONLY | sys.O_TRUNC, sys.O_WRONLY | sys.O_APPEND} {
			done := make(chan sys.Errno, 1)
			go func() { done <- opens(path, flag)(fs) }()
			select {
			case errno := <-done:
				if errno != sys.ENOTSUP {
					t.Errorf("%s %s: %v", path, flagName(flag), errno)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s %s: still waiting", path, flagName(flag))
			}
		}
		if errno := opens(path, sys.O_DIRECTORY)(fs); errno != sys.ENOTSUP {
			t.Errorf("%s as a folder: %v", path, errno)
		}
		if st, errno := fs.Stat(path); errno != 0 || st.Mode.IsRegular() {
			t.Errorf("stat of %s: %v, %v", path, st.Mode, errno)
		}
	}
	// What has taken its place since it was looked at.
	f, err := fs.root.OpenFile("fifo", hostFlags(sys.O_RDONLY), 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if names := list(t, fs, "/"); len(names) < 2 {
		t.Error(names)
	}
}
