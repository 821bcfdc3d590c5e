package mount

import "github.com/tetratelabs/wazero/experimental/sys"

// Errors for which wazero has no number: guests of WASI 0.1 get EIO for them from wazero,
// and what they mean from who looks at the view's [Outcome].
const (
	// ENOSPC is that the disk, or the [Quota], is full.
	ENOSPC sys.Errno = 0xff00 + iota
	// EFBIG is that a file would be larger than it may be.
	EFBIG
)

// Outcome is what wazero does not tell a guest of its last call. All views of one guest
// may have the same.
type Outcome struct {
	Errno sys.Errno // [ENOSPC], [EFBIG], or 0 for all others
	Wrote int       // bytes written, also if the call failed after that
}

// told notes errno, the result of a call, and returns it.
func (g *View) told(errno sys.Errno) sys.Errno {
	if g.Outcome != nil && (errno == ENOSPC || errno == EFBIG) {
		g.Outcome.Errno = errno
	}
	return errno
}
