//go:build !linux && !darwin

package p2p

import "net"

// boundUnsent does nothing: this system has no such bound.
func boundUnsent(net.Conn) error { return nil }
