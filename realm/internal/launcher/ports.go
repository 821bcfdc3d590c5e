package launcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// ports are those that were chosen for a home, because its settings leave them open.
type ports struct {
	Mesh    int `json:"mesh,omitempty"`
	HTTP    int `json:"http,omitempty"`
	Manage  int `json:"manage,omitempty"`
	Metrics int `json:"metrics,omitempty"`
}

// Validate implements [api.Validator].
func (p *ports) Validate() error {
	for _, n := range []int{p.Mesh, p.HTTP, p.Manage, p.Metrics} {
		if n < 0 || n > 65535 {
			return fmt.Errorf("port %d is none", n)
		}
	}
	return nil
}

const maxPortsFile = 4 << 10

func readPorts(h paths.Home) (p ports, err error) {
	b, err := os.ReadFile(h.Ports())
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("read the chosen ports: %w", err)
	}
	if err := api.Decode(b, maxPortsFile, &p); err != nil {
		return p, fmt.Errorf("read the chosen ports: %s: %w: remove it, and others are chosen", h.Ports(), err)
	}
	return p, nil
}

func (p ports) write(h paths.Home) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return atomicfile.Write(h.Ports(), append(b, '\n'), 0o600)
}

// Settings are the effective settings of a node that has been up: n with the ports
// that were chosen for the home where n leaves them open. Those that have not been
// chosen yet are left as they are.
func Settings(h paths.Home, n config.Node) (config.Node, error) {
	p, err := readPorts(h)
	if err != nil {
		return n, err
	}
	if n.ListenPort == 0 {
		n.ListenPort = p.Mesh
	}
	n.HTTPListen = withPort(n.HTTPListen, p.HTTP)
	n.ManageListen = withPort(n.ManageListen, p.Manage)
	n.MetricsListen = withPort(n.MetricsListen, p.Metrics)
	return n, nil
}

// withPort puts port into an address whose port is 0.
func withPort(addr string, port int) string {
	host, open, err := net.SplitHostPort(addr)
	if err != nil || open != "0" || port == 0 {
		return addr
	}
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// settle chooses the ports that are open and were not chosen before, keeps them,
// and makes sure that all are free now. It returns n with all ports set.
func settle(ctx context.Context, h paths.Home, n config.Node) (config.Node, error) {
	kept, err := readPorts(h)
	if err != nil {
		return n, err
	}
	var p probe
	defer p.release()
	var chosen ports
	if chosen.Mesh, err = p.mesh(ctx, n.ListenPort, kept.Mesh); err != nil {
		return n, fmt.Errorf("the mesh cannot listen: %w: choose another port with --listen-port, or end the program that has this one", err)
	}
	if chosen.HTTP, err = p.http(ctx, n.HTTPListen, kept.HTTP); err != nil {
		return n, fmt.Errorf("programs cannot be served: %w: choose another address with --http-listen", err)
	}
	if chosen.Manage, err = p.http(ctx, n.ManageListen, kept.Manage); err != nil {
		return n, fmt.Errorf("management cannot be served: %w: choose another address with --manage-listen", err)
	}
	if chosen.Metrics = kept.Metrics; n.MetricsListen != "" {
		if chosen.Metrics, err = p.http(ctx, n.MetricsListen, kept.Metrics); err != nil {
			return n, fmt.Errorf("metrics cannot be served: %w: choose another address with --metrics-listen", err)
		}
	}
	if chosen != kept {
		if err := chosen.write(h); err != nil {
			return n, fmt.Errorf("keep the chosen ports: %w", err)
		}
	}
	return Settings(h, n)
}
