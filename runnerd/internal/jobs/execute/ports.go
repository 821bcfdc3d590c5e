package execute

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/native"
)

const (
	loopback = "127.0.0.1"
	// listenPause is how long it takes at most to see that a service listens: nothing tells.
	listenPause = 100 * time.Millisecond
	// firstFree is the lowest port that is tried as it is declared: those below are the
	// machine's.
	firstFree = 1024
)

// choosePorts gives the execution ports on which nothing listens: those that its job
// declares, if they are free. It may be too late by the time that the program listens, and
// [execution.Dial] looks again.
func (x *execution) choosePorts() error {
	declared := x.order.Body.Ports
	if len(declared) == 0 {
		return nil
	}
	e := x.of
	e.mu.Lock()
	defer e.mu.Unlock()
	taken := map[int]bool{}
	for _, o := range e.all {
		for _, p := range o.ports {
			taken[p] = true
		}
	}
	chosen := map[api.Name]int{}
	for _, p := range declared {
		port, err := choose(x.ctx, p, taken)
		if err != nil {
			return elsewhere(fmt.Errorf("find a port for %s: %w", p.Name, err))
		}
		taken[port], chosen[p.Name] = true, port
	}
	x.ports, x.order.Ports = chosen, chosen
	return nil
}

// choose finds a port for p that is none of taken.
func choose(ctx context.Context, p api.Port, taken map[int]bool) (int, error) {
	if p.Port >= firstFree && !taken[p.Port] {
		if port, err := free(ctx, p.Protocol, p.Port); err == nil {
			return port, nil
		}
	}
	for range 100 {
		port, err := free(ctx, p.Protocol, 0)
		if err != nil || !taken[port] {
			return port, err
		}
	}
	return 0, errors.New("all that the system offers are given away")
}

// free is the port, or one that the system chooses for 0, if nothing listens on it.
func free(ctx context.Context, protocol string, port int) (int, error) {
	var l net.ListenConfig
	addr := net.JoinHostPort(loopback, strconv.Itoa(port))
	if protocol == "udp" {
		c, err := l.ListenPacket(ctx, "udp", addr)
		if err != nil {
			return 0, err
		}
		defer c.Close()
		return c.LocalAddr().(*net.UDPAddr).Port, nil
	}
	ln, err := l.Listen(ctx, "tcp", addr)
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}

// portsInEnv tells the program where to listen; PORT is what many look for.
func (x *execution) portsInEnv(env map[string]string) {
	for name, port := range x.order.Ports {
		env[api.EnvPort(name)] = strconv.Itoa(port)
	}
	if p, ok := api.FindPort(x.order.Body.Ports, api.AnyPort); ok && x.order.Ports[p.Name] != 0 {
		env["PORT"] = strconv.Itoa(x.order.Ports[p.Name])
	}
}

// Dial implements [jobs.Server]. It connects to a port only if the program listens there:
// another one of the machine may have taken it.
func (x *execution) Dial(ctx context.Context, name api.Name) (net.Conn, error) {
	p, ok := api.FindPort(x.order.Body.Ports, name)
	if !ok {
		return nil, fmt.Errorf("it has no TCP port %s", name)
	}
	x.mu.Lock()
	program := x.program
	x.mu.Unlock()
	port := x.order.Ports[p.Name]
	if program == nil || port == 0 {
		return nil, errors.New("it does not run")
	}
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	own, err := program.Listens(port)
	if err == nil && !own {
		err = fmt.Errorf("another program of that machine listens on port %d, which was chosen for %s: it has to listen where %s says, and soon", port, p.Name, api.EnvPort(p.Name))
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// awaitReady has the service be ready once it has been up for a moment, and listens on its
// TCP ports.
func (x *execution) awaitReady(program *native.Execution, ready func()) {
	wait := time.NewTimer(readyAfter)
	defer wait.Stop()
	for {
		select {
		case <-x.ctx.Done():
			return
		case <-wait.C:
		}
		if x.listens(program) {
			ready()
			return
		}
		wait.Reset(listenPause)
	}
}

func (x *execution) listens(program *native.Execution) bool {
	for _, p := range x.order.Body.Ports {
		if p.Protocol == "udp" {
			continue
		}
		own, err := program.Listens(x.order.Ports[p.Name])
		if errors.Is(err, native.ErrPorts) {
			return true // nobody can say it
		}
		if err != nil || !own {
			return false
		}
	}
	return true
}
