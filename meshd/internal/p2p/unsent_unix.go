//go:build linux || darwin

package p2p

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unsentMost is how many bytes the kernel takes for a connection beyond those that are
// on their way. Without a bound it takes some megabytes, behind which a call or a sign
// of life waits for seconds where a blob is sent over a slow line.
const unsentMost = 128 << 10

// boundUnsent sets it where c is a TCP connection.
func boundUnsent(c net.Conn) error {
	raw, ok := c.(syscall.Conn)
	if !ok {
		return nil // relayed: the relay's connection has a bound of its own
	}
	conn, err := raw.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentMost)
	}); err != nil {
		return err
	}
	return failed
}
