package wasi

import (
	"errors"
	"testing"

	"github.com/realm-mesh/realm/engine/mount"
	"github.com/tetratelabs/wazero/experimental/sys"
)

// TestFullDisk: insufficient-space is case 23 of the error-code of wasi:filesystem 0.2.
func TestFullDisk(t *testing.T) {
	for errno, want := range map[sys.Errno]fileCode{mount.ENOSPC: 23, sys.EIO: codeIO, sys.Errno(999): codeIO} {
		var got fileError
		if err := fileErrorOf(errno); !errors.As(err, &got) || fileCode(got) != want {
			t.Errorf("%d: %v, want %d", errno, err, want)
		}
	}
}
