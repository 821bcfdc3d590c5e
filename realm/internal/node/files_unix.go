//go:build unix

package node

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/realm-mesh/realm/api"
)

// identify tells how casd finds a file that is open here; false where it cannot, or where
// writes go elsewhere than they are told to.
func identify(file *os.File) (f api.LocalFile, ok bool) {
	fi, err := file.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		return f, false
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFL, 0)
	if !ok || err != nil || flags&unix.O_APPEND != 0 {
		return f, false
	}
	f = api.LocalFile{Dev: uint64(st.Dev), Ino: st.Ino} //nolint:unconvert,gosec // Dev is signed on some systems
	if runtime.GOOS == "linux" {
		f.Path = fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), file.Fd()) // whatever it is called now
		return f, true
	}
	f.Path, err = filepath.Abs(file.Name())
	return f, err == nil
}
