package memory

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

var globalMemoryStatusEx = windows.NewLazySystemDLL("kernel32.dll").NewProc("GlobalMemoryStatusEx")

// status is MEMORYSTATUSEX of sysinfoapi.h.
type status struct {
	length                   uint32
	load                     uint32
	totalPhys, availPhys     uint64
	totalPage, availPage     uint64
	totalVirt, availVirt     uint64
	availVirtualBeyond4Gbyte uint64
}

func physical() (int64, error) {
	s := status{length: uint32(unsafe.Sizeof(status{}))}
	if ok, _, err := globalMemoryStatusEx.Call(uintptr(unsafe.Pointer(&s))); ok == 0 {
		return 0, err
	}
	return int64(s.totalPhys), nil
}
