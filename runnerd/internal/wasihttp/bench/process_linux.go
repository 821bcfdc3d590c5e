package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// process is a server that runs.
type process struct {
	cmd   *exec.Cmd
	addr  string
	ready ready
}

// startTime is how long a server may take to listen: it may have to compile.
const startTime = 2 * time.Minute

func (b *bench) start(ctx context.Context, s server) (*process, error) {
	args := s.args
	if s.file != "" {
		args = []string{s.file, b.dir}
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{serveCommand}, args...)...)
	port := ""
	if s.run != nil {
		if port, err = freePort(ctx); err != nil {
			return nil, err
		}
		cmd = exec.CommandContext(ctx, s.run[0], s.run[1:]...)
		for i, a := range cmd.Args {
			cmd.Args[i] = strings.ReplaceAll(a, "%s", port)
		}
	} else if b.profile != "" {
		cmd.Env = append(os.Environ(), profileVar+"="+b.profile+"/"+strings.ReplaceAll(s.name, "/", "-")+".pprof")
	}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = startTime
	p := &process{cmd: cmd}
	if s.run != nil {
		if err := pinned(cmd.Start); err != nil {
			return nil, err
		}
		p.addr = net.JoinHostPort("127.0.0.1", port)
		return p, p.listens(ctx)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := pinned(cmd.Start); err != nil {
		return nil, err
	}
	if err := json.NewDecoder(out).Decode(&p.ready); err != nil {
		p.stop()
		return nil, fmt.Errorf("it does not say where it listens: %w", err)
	}
	p.addr = p.ready.Addr
	return p, nil
}

// listen listens at a port of the system's choice.
func listen(ctx context.Context) (net.Listener, error) {
	return new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
}

func freePort(ctx context.Context) (string, error) {
	l, err := listen(ctx)
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// listens waits until the server answers.
func (p *process) listens(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	for {
		if c, err := new(net.Dialer).DialContext(ctx, "tcp", p.addr); err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			p.stop()
			return errors.New("it does not listen")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (p *process) stop() {
	_ = p.cmd.Cancel() // it may have ended
	_ = p.cmd.Wait()
}

// round has clients ask for a while.
func (p *process) round(ctx context.Context, a ask, clients int, wait time.Duration) (f figure, err error) {
	end := time.Now().Add(wait)
	before, err := used(p.cmd.Process.Pid)
	if err != nil {
		return f, err
	}
	var all sync.WaitGroup
	var n atomic.Int64
	failed := make(chan error, clients)
	for range clients {
		all.Go(func() {
			c := &client{addr: p.addr}
			defer c.close()
			for ctx.Err() == nil && (n.Load() == 0 || time.Now().Before(end)) {
				if err := c.ask(ctx, a); err != nil {
					failed <- err
					return
				}
				n.Add(1)
			}
		})
	}
	all.Wait()
	select {
	case err = <-failed:
		return f, err
	default:
	}
	after, err := used(p.cmd.Process.Pid)
	return figure{int(n.Load()), after - before}, err
}
