package launcher

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
)

// probe listens on ports to see whether they are free. It holds on to them until
// release, so that two settings that want the same port are told as well.
type probe struct{ held []io.Closer }

func (p *probe) release() {
	for _, c := range p.held {
		c.Close()
	}
	p.held = nil
}

// Chosen ports lie below those that systems take for outgoing connections (from
// 32768 on Linux), so that they are likely to be free at the next start, too.
const (
	minChosen = 20_000
	maxChosen = 32_767
	maxTries  = 100
)

// choose returns a random port that take takes.
func choose(take func(port int) error) (int, error) {
	var err error
	for range maxTries {
		port := minChosen + rand.IntN(maxChosen-minChosen+1)
		if err = take(port); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no free port found: %w", err)
}

// mesh takes the configured port, else the kept one, else chooses one. It returns
// what to keep from now on. Others know a node by its port, so that a kept one that
// is taken is an error.
func (p *probe) mesh(ctx context.Context, configured, kept int) (int, error) {
	take := func(port int) error { return p.takeMesh(ctx, port) }
	switch {
	case configured != 0:
		return kept, take(configured)
	case kept != 0:
		return kept, take(kept)
	}
	return choose(take)
}

// takeMesh takes a port of all addresses, over TCP and UDP.
func (p *probe) takeMesh(ctx context.Context, port int) error {
	addr := net.JoinHostPort("", strconv.Itoa(port))
	var lc net.ListenConfig
	tcp, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	udp, err := lc.ListenPacket(ctx, "udp", addr)
	if err != nil {
		tcp.Close()
		return err
	}
	p.held = append(p.held, tcp, udp)
	return nil
}

// http takes an address. For port 0 it takes the kept port or, where that is not
// free, chooses one; it returns what to keep from now on.
func (p *probe) http(ctx context.Context, addr string, kept int) (int, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return kept, err
	}
	if port != "0" {
		return kept, p.takeTCP(ctx, addr)
	}
	take := func(port int) error { return p.takeTCP(ctx, net.JoinHostPort(host, strconv.Itoa(port))) }
	if kept != 0 && take(kept) == nil {
		return kept, nil
	}
	return choose(take)
}

func (p *probe) takeTCP(ctx context.Context, addr string) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	p.held = append(p.held, ln)
	return nil
}
