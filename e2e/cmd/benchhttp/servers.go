package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
)

// serveOne is a server to be compared with, in a process of its own.
func serveOne(kind, at, to string) error {
	network, addr, _ := strings.Cut(at, ":")
	ln, err := net.Listen(network, addr) //nolint:noctx // until it is killed
	if err != nil {
		return err
	}
	var h http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte("Hello from net/http.\n")) // who asks sees it
	})
	if kind == "proxy" {
		h = &httputil.ReverseProxy{
			Rewrite: func(p *httputil.ProxyRequest) {
				p.Out.URL.Scheme, p.Out.URL.Host = "http", "behind"
				p.SetXForwarded()
			},
			BufferPool: &buffers{},
			Transport: &http.Transport{
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return (&net.Dialer{}).DialContext(ctx, "unix", to)
				},
				MaxIdleConnsPerHost: 256, DisableCompression: true,
			},
		}
	}
	return http.Serve(ln, h) //nolint:gosec // for a bench
}

// buffers are what the fastest form of a reverse proxy has.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[32 << 10]byte); ok {
		return p[:]
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(p []byte) { b.pool.Put((*[32 << 10]byte)(p)) }

// spawn starts a server in a process of its own and waits until it takes connections; it
// ends with ctx.
func spawn(ctx context.Context, network, addr, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return node.Until(ctx, program+" listens", func(ctx context.Context) error {
		select {
		case err := <-ended:
			return node.Final(fmt.Errorf("it ended: %w", err))
		default:
		}
		c, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err == nil {
			err = c.Close()
		}
		return err
	})
}

// startOthers starts what is compared with.
func (b *bench) startOthers(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	plain, err1 := node.FreeAddr(ctx)
	proxy, err2 := node.FreeAddr(ctx)
	jco, err3 := node.FreeAddr(ctx)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	behind := filepath.Join(b.dir, "behind.sock")
	if err := errors.Join(
		spawn(ctx, "tcp", plain, self, "--serve", "plain", "--at", "tcp:"+plain),
		spawn(ctx, "unix", behind, self, "--serve", "plain", "--at", "unix:"+behind),
		spawn(ctx, "tcp", proxy, self, "--serve", "proxy", "--at", "tcp:"+proxy, "--to", behind),
	); err != nil {
		return err
	}
	b.plain, b.proxy = get("net/http", plain, "/"), get("the same behind Go's reverse proxy, over a Unix socket", proxy, "/")
	if b.jco == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(jco)
	if err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	b.isolated = get("the same on jco, --isolate-requests instance", jco, "/")
	return node.Until(wait, "jco serves", b.spawnJCO(ctx, jco, port))
}

// spawnJCO starts jco once and then asks whether it listens.
func (b *bench) spawnJCO(ctx context.Context, addr, port string) func(context.Context) error {
	var once sync.Once
	var failed error
	return func(wait context.Context) error {
		once.Do(func() {
			cmd := exec.CommandContext(ctx, b.jco, "serve", "--isolate-requests", "instance", "--port", port, filepath.Join(b.samples, "hello-http.wasm"))
			cmd.Dir = b.dir
			cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
			if failed = cmd.Start(); failed == nil {
				go func() { _ = cmd.Wait() }() // until it is killed
			}
		})
		if failed != nil {
			return node.Final(failed)
		}
		c, err := (&net.Dialer{}).DialContext(wait, "tcp", addr)
		if err == nil {
			err = c.Close()
		}
		return err
	}
}
