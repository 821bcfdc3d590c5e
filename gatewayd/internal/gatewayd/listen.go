package gatewayd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"

	"github.com/realm-mesh/realm/internal/kit/config"
)

// listeners are what gatewayd is reached at.
type listeners struct {
	programs, management net.Listener
	metrics              net.Listener // nil: there is none
}

// listenAll opens the addresses of c, all or none.
func listenAll(ctx context.Context, c config.Node) (l listeners, err error) {
	if l.management, err = listenManage(ctx, c.ManageListen); err == nil {
		l.programs, err = listen(ctx, c.HTTPListen, "--http-listen")
	}
	if err == nil && c.MetricsListen != "" {
		l.metrics, err = listen(ctx, c.MetricsListen, "--metrics-listen")
	}
	if err != nil {
		l.close()
	}
	return l, err
}

func (l listeners) close() {
	for _, ln := range []net.Listener{l.programs, l.management, l.metrics} {
		if ln != nil {
			ln.Close()
		}
	}
}

// String says to people what is where.
func (l listeners) String() string {
	s := fmt.Sprintf("programs at http://%s, metrics and logs at http://%s", l.programs.Addr(), l.management.Addr())
	if l.metrics != nil {
		s += fmt.Sprintf(", metrics for others at http://%s", l.metrics.Addr())
	}
	return s
}

// listen opens a TCP address; flag is what a person would change it with.
func listen(ctx context.Context, addr, flag string) (net.Listener, error) {
	var c net.ListenConfig
	ln, err := c.Listen(ctx, "tcp", addr)
	switch {
	case err == nil:
		return ln, nil
	case inUse(err):
		return nil, fmt.Errorf("%w: %s is taken by another program: choose another with realm up %s HOST:PORT", config.ErrInvalid, addr, flag)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: %s may not be used by this user: choose another with realm up %s HOST:PORT", config.ErrInvalid, addr, flag)
	}
	return nil, fmt.Errorf("listen on %s: %w: choose another with realm up %s HOST:PORT", addr, err, flag)
}

// listenManage opens the management address, which must be loopback: what it shows
// is for people on this machine.
func listenManage(ctx context.Context, addr string) (net.Listener, error) {
	const flag = "--manage-listen"
	if !isLoopback(addr) {
		return nil, fmt.Errorf("%w: metrics and logs are for this machine only: %s is no loopback address; use realm up %s 127.0.0.1:PORT", config.ErrInvalid, addr, flag)
	}
	return listen(ctx, addr, flag)
}

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
