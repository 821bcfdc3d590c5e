//go:build unix

package server

import "syscall"

// maxConns leaves half of the files that the process may open for what stands behind
// the connections.
func maxConns() int {
	var r syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r) != nil || r.Cur > 2*MaxConns {
		return MaxConns
	}
	return max(int(r.Cur)/2, 1)
}
