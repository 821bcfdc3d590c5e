package httpshape

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"time"
)

// Server is a host that serves one component. It may be one that a shape kills:
// Restart then makes it answer again, at the address that it returns.
type Server interface {
	Restart(ctx context.Context) (addr string, err error)
	Close() error
}

// Fixed is a server that somebody else has started, and that has to survive.
type Fixed string

// Restart returns the address.
func (f Fixed) Restart(context.Context) (string, error) { return string(f), nil }

// Close leaves the server to whoever started it.
func (Fixed) Close() error { return nil }

// Command is a server that is started for one component. In its arguments, {addr}, {host} and {port}
// are where it has to listen, {file} is the component, and {upstream} the server that its guest may ask.
type Command struct {
	Args     []string
	File     string
	Upstream string
	Log      io.Writer

	process *exec.Cmd
	ended   chan struct{}
}

// begins is how long a server may take until it listens: some compile for many seconds.
const begins = 2 * time.Minute

// Restart ends the process, if there is one, and starts another.
func (c *Command) Restart(ctx context.Context) (string, error) {
	if err := c.Close(); err != nil {
		return "", err
	}
	addr, err := freeAddress(ctx)
	if err != nil {
		return "", err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	fill := strings.NewReplacer("{addr}", addr, "{host}", host, "{port}", port, "{file}", c.File, "{upstream}", c.Upstream)
	var args []string
	for _, a := range c.Args {
		args = append(args, fill.Replace(a))
	}
	c.process = exec.CommandContext(ctx, args[0], args[1:]...)
	c.process.Stdout, c.process.Stderr = c.Log, c.Log
	if err := c.process.Start(); err != nil {
		c.process = nil
		return "", fmt.Errorf("start %s: %w", args[0], err)
	}
	c.ended = make(chan struct{})
	go func() {
		_ = c.process.Wait()
		close(c.ended)
	}()
	return addr, c.listens(ctx, addr)
}

// listens waits until the address takes connections.
func (c *Command) listens(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, begins)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr); err == nil {
			return conn.Close()
		}
		select {
		case <-c.ended:
			return errors.New("the server ended before it listened")
		case <-ctx.Done():
			return fmt.Errorf("wait for %s to listen: %w", addr, ctx.Err())
		case <-tick.C:
		}
	}
}

// Close ends the process.
func (c *Command) Close() error {
	if c.process == nil {
		return nil
	}
	_ = c.process.Process.Kill() // fails if it has ended already
	<-c.ended
	c.process = nil
	return nil
}

func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}
