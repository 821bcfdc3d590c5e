package confine

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data, and the bits of a mode.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16

	newSpaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
		unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET
	socketType = 0xf // without SOCK_NONBLOCK and SOCK_CLOEXEC
)

func load(off uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: off}
}

// arg loads the lower half of an argument; both processors that have a filter are little-endian.
func arg(n uint32) unix.SockFilter { return load(offArgs + 8*n) }

// jump skips so many instructions when the comparison op with k holds, or else when it does not.
func jump(op uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | op | unix.BPF_K, Jt: yes, Jf: no, K: k}
}

func deny(e unix.Errno) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(e)}
}

func allow() unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}
}

// filter is the program that judges every system call. What is not named is allowed.
func filter() []unix.SockFilter {
	out := []unix.SockFilter{
		// Another architecture has other numbers for the same calls.
		load(offArch), jump(unix.BPF_JEQ, auditArch, 1, 0), deny(unix.ENOSYS),
		load(offNumber),
	}
	if x32Bit != 0 {
		out = append(out, jump(unix.BPF_JSET, x32Bit, 0, 1), deny(unix.ENOSYS))
	}
	for _, nr := range denied {
		out = append(out, jump(unix.BPF_JEQ, nr, 0, 1), deny(unix.EPERM))
	}
	for _, nr := range absent {
		out = append(out, jump(unix.BPF_JEQ, nr, 0, 1), deny(unix.ENOSYS))
	}
	judge := func(nr uint32, rules ...unix.SockFilter) {
		out = append(out, jump(unix.BPF_JEQ, nr, 0, uint8(len(rules))))
		out = append(out, rules...)
	}
	judge(unix.SYS_SOCKET, arg(0), jump(unix.BPF_JEQ, unix.AF_INET, 1, 0), jump(unix.BPF_JEQ, unix.AF_INET6, 0, 1), allow(), deny(unix.EAFNOSUPPORT))
	// A pair of datagram sockets could be connected anew, to a socket of the node.
	judge(unix.SYS_SOCKETPAIR, arg(1), unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: socketType},
		jump(unix.BPF_JEQ, unix.SOCK_DGRAM, 0, 1), deny(unix.EPERM), allow())
	judge(unix.SYS_CLONE, arg(0), jump(unix.BPF_JSET, newSpaces, 0, 1), deny(unix.EPERM), allow())
	// Input for a terminal that somebody else reads.
	judge(unix.SYS_IOCTL, arg(1), jump(unix.BPF_JEQ, unix.TIOCSTI, 1, 0), jump(unix.BPF_JEQ, unix.TIOCLINUX, 0, 1), deny(unix.EPERM), allow())
	return append(out, allow())
}

// useFilter puts the calling thread under the filter. It must have no_new_privs.
func useFilter() error {
	program := filter()
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	if _, _, e := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog))); e != 0 {
		return fmt.Errorf("filter system calls: %w", e)
	}
	return nil
}
