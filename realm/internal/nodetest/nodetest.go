// Package nodetest gives tests the bus of a node, the real one, in a home of its
// own, and lets them play the daemons on it.
package nodetest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/realm/internal/busserver"
)

// patience bounds whatever a test waits for.
const patience = 20 * time.Second

// Context ends when no test should still be waiting.
func Context(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// Home is an empty home, with a path short enough for sockets.
func Home(t testing.TB) paths.Home {
	t.Helper()
	dir, err := os.MkdirTemp("", "realm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h, err := paths.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Bus brings up the bus of a new home, without any daemon.
func Bus(t testing.TB) (paths.Home, *busserver.Server) {
	t.Helper()
	h := Home(t)
	if err := errors.Join(h.Create(), local.CreateToken(h)); err != nil {
		t.Fatal(err)
	}
	srv, err := busserver.Start(Context(t), h, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	return h, srv
}

// As logs in to the bus as one of the node's daemons.
func As(t testing.TB, h paths.Home, d api.Daemon) *bus.Conn {
	t.Helper()
	c, err := bus.Connect(Context(t), h, d, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// retryEvery is the pause between two tries of what needs the bus.
const retryEvery = 20 * time.Millisecond

// Put writes v, as JSON unless it is bytes, into a bucket. While the bus is away it
// waits for it.
func Put(t testing.TB, c *bus.Conn, bucket, key string, v any) {
	data, ok := v.([]byte)
	if !ok {
		var err error
		if data, err = json.Marshal(v); err != nil {
			t.Error(err)
			return
		}
	}
	for ctx := Context(t); ; {
		b, err := c.Bucket(ctx, bucket)
		if err == nil {
			err = b.Put(ctx, key, data)
		}
		if err == nil {
			return
		}
		if !errors.Is(err, bus.ErrDisconnected) || ctx.Err() != nil {
			t.Error(err)
			return
		}
		time.Sleep(retryEvery)
	}
}

// Handle answers requests on a subject in the name of the daemon that c is.
func Handle(t testing.TB, c *bus.Conn, subject string, answer func([]byte) (any, error)) {
	t.Helper()
	svc, err := c.NewService(Context(t))
	if err == nil {
		err = svc.HandleRaw(subject, func(_ context.Context, b []byte) (any, error) { return answer(b) })
	}
	if err != nil {
		t.Error(err)
	}
}

// HTTP answers on a daemon's socket until the test ends.
func HTTP(t testing.TB, h paths.Home, d api.Daemon, handler http.Handler) {
	serve(t, h, d, handler, func(ln net.Listener) net.Listener { return ln })
}

// serve is HTTP on another listener. One that receives files reads in a way that the race
// detector knows nothing of: what its handler uses is set before.
func serve(t testing.TB, h paths.Home, d api.Daemon, handler http.Handler, wrap func(net.Listener) net.Listener) {
	ln, err := local.Listen(h, d)
	if err != nil {
		t.Error(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = local.Serve(ctx, h, wrap(ln), handler, time.Second) // ends with ctx
	}()
	t.Cleanup(func() { cancel(); <-done })
}
