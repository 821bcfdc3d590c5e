//go:build linux && !amd64 && !arm64

package confine

// hasFilter says that this processor's system calls are not known here.
const hasFilter = false

const auditArch, x32Bit = 0, 0

var denied, absent []uint32
