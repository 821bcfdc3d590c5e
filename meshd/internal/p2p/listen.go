package p2p

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/host"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/realm-mesh/realm/internal/kit/atomicfile"
)

// ErrPortTaken says that another program uses the port.
var ErrPortTaken = errors.New("is taken by another program: end that one, or choose another port with REALM_LISTEN_PORT or listen_port in config.toml")

// portTries bounds the search for a port that is free for UDP and TCP alike.
const portTries = 20

// KeptPort is the port in the file at path, or a free one, which is then written
// there: addresses that others have been given stay true over restarts.
func KeptPort(ctx context.Context, path string) (int, error) {
	b, err := os.ReadFile(path)
	if err == nil {
		port, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil || port < 1 || port > 65535 {
			return 0, fmt.Errorf("read kept port: %s holds no port: remove it to choose a new one", path)
		}
		return port, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("read kept port: %w", err)
	}
	port, err := FreePort(ctx)
	if err != nil {
		return 0, err
	}
	if err := atomicfile.Write(path, []byte(strconv.Itoa(port)+"\n"), 0o600); err != nil {
		return 0, fmt.Errorf("keep port: %w", err)
	}
	return port, nil
}

// FreePort is a port that nobody uses, for UDP or TCP. It is none of those that systems
// give to outgoing connections (Linux from 32768 on, others from 49152 on): one of these
// might have it while the node is down, and keep it from coming up.
func FreePort(ctx context.Context) (int, error) {
	const first, end = 20_000, 32_768
	var err error
	for range portTries {
		port := first + rand.IntN(end-first) //nolint:gosec // no secret
		if err = CheckPort(ctx, port, "udp4", "tcp4"); err == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a free port: %w", err)
}

// CheckPort returns [ErrPortTaken] if port cannot be had for one of the networks
// ("udp4", "tcp4"). libp2p shares TCP ports between processes of one user, so two
// nodes on one port would not notice each other by themselves.
func CheckPort(ctx context.Context, port int, networks ...string) error {
	var lc net.ListenConfig
	for _, network := range networks {
		addr := ":" + strconv.Itoa(port)
		if strings.HasPrefix(network, "udp") {
			c, err := lc.ListenPacket(ctx, network, addr)
			if err != nil {
				return fmt.Errorf("%s port %d %w (%w)", network[:3], port, ErrPortTaken, err)
			}
			c.Close()
			continue
		}
		l, err := lc.Listen(ctx, network, addr)
		if err != nil {
			return fmt.Errorf("%s port %d %w (%w)", network[:3], port, ErrPortTaken, err)
		}
		l.Close()
	}
	return nil
}

// Listen opens port for QUIC and TCP on all interfaces, over IPv4, and over IPv6
// where the machine has it.
func Listen(ctx context.Context, h host.Host, port int) error {
	if err := CheckPort(ctx, port, "udp4", "tcp4"); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	for _, s := range []string{"/ip4/0.0.0.0/udp/%d/quic-v1", "/ip4/0.0.0.0/tcp/%d"} {
		if err := h.Network().Listen(ma.StringCast(fmt.Sprintf(s, port))); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	if !hasIPv6(ctx) {
		return nil
	}
	for _, s := range []string{"/ip6/::/udp/%d/quic-v1", "/ip6/::/tcp/%d"} {
		if err := h.Network().Listen(ma.StringCast(fmt.Sprintf(s, port))); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
	}
	return nil
}

func hasIPv6(ctx context.Context) bool {
	var lc net.ListenConfig
	c, err := lc.ListenPacket(ctx, "udp6", "[::]:0")
	if err != nil {
		return false
	}
	c.Close()
	return true
}
