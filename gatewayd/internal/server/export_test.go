package server

import (
	"net"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus"
)

// from is a connection of which only the other end's address is known.
type from struct {
	net.Conn
	addr *net.TCPAddr
}

func (f from) RemoteAddr() net.Addr { return f.addr }
func (from) Close() error           { return nil }

// Admitted is how many connections of the addresses have a place when each address may
// have perAddress; all of them are counted off again.
func Admitted(addrs []string, perAddress int) (n int) {
	c := newConns(len(addrs), perAddress, NewMetrics(prometheus.NewRegistry()).of("test"))
	var all []net.Conn
	for _, a := range addrs {
		if conn, ok := c.admit(from{addr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(a))}); ok {
			all = append(all, conn)
		}
	}
	for _, conn := range all {
		conn.Close()
		conn.Close()
	}
	if c.open != 0 || len(c.of) != 0 || c.waiting.Len() != 0 {
		panic("something is still counted")
	}
	return len(all)
}
