//go:build unix

package casd

import (
	"fmt"
	"os"
	"syscall"

	"github.com/realm-mesh/realm/api"
)

// open opens a file that somebody else has open, if that is what lies there.
func open(f api.LocalFile, flag int) (*os.File, error) {
	// Not to wait for the other end, where it is a pipe.
	file, err := os.OpenFile(f.Path, flag|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errFile, err)
	}
	fi, err := file.Stat()
	if err == nil {
		st, ok := fi.Sys().(*syscall.Stat_t)
		if !ok || !fi.Mode().IsRegular() || uint64(st.Dev) != f.Dev || st.Ino != f.Ino { //nolint:unconvert,gosec // Dev is signed on some systems
			err = fmt.Errorf("%w: it is another one than the caller's", errFile)
		}
	}
	if err != nil {
		_ = file.Close() // nothing was done with it
		return nil, err
	}
	return file, nil
}
