//go:build unix

package mount

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/tetratelabs/wazero/experimental/sys"
)

func TestErrnoOfFullDisks(t *testing.T) {
	for err, want := range map[error]sys.Errno{
		syscall.ENOSPC: ENOSPC, syscall.EDQUOT: ENOSPC, &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}: ENOSPC,
		fmt.Errorf("write: %w", errFull): ENOSPC, syscall.ENOTSOCK: sys.EIO, syscall.EFBIG: sys.EIO,
	} {
		if got := fileErrno(err); got != want {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
}
