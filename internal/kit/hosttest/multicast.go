package hosttest

import (
	"errors"
	"net"
)

// lookMulticast wants an interface that is up, carries multicast and has an IPv4
// address other than loopback: mDNS looks for the same.
func lookMulticast() error {
	ifaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range ifaces {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagMulticast == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		if addrs, err := i.Addrs(); err == nil && len(addrs) > 0 {
			return nil
		}
	}
	return errors.New("no interface but loopback is up")
}
