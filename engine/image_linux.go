package engine

import (
	"errors"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/realm-mesh/realm/engine/meter"
)

// newFile returns a file in memory that has segments, of addresses from at on. Nobody can change it
// any more. It is nil where the system does not give one.
func newFile(at, size uint64, segments []meter.Segment) *os.File {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("image", flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate("image", flags)
	}
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), "image")
	if err = f.Truncate(int64(size)); err == nil {
		for _, s := range segments {
			if _, err = f.WriteAt(s.Init, int64(uint64(s.At)-at)); err != nil {
				break
			}
		}
	}
	if err == nil {
		_, err = unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	}
	if err != nil {
		f.Close()
		return nil
	}
	return f
}

// replace has b be the contents of a file, which does not change with b.
func replace(b []byte, f *os.File) bool {
	_, err := unix.MmapPtr(int(f.Fd()), 0, unsafe.Pointer(&b[0]), uintptr(len(b)), //nolint:gosec // b is of a reserved memory, nothing of Go's
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED)
	return err == nil
}
