package mount

import (
	"testing"

	"github.com/tetratelabs/wazero/experimental/sys"
)

// TestTooLarge has the host itself refuse a size.
func TestTooLarge(t *testing.T) {
	v := shown(t, t.TempDir(), false)
	var told Outcome
	v.Outcome = &told
	f := open(t, v, "f", sys.O_RDWR|sys.O_CREAT)
	switch errno := f.Truncate(1<<63 - 1); {
	case errno == 0:
		t.Skip("the file system of this machine's temporary folder lets files be of any size")
	case errno != EFBIG || told.Errno != EFBIG:
		t.Errorf("%v, told %v", errno, told.Errno)
	}
}
