package busserver

import (
	"context"
	"flag"
	"log/slog"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// quiet drops what the tests provoke on purpose; -v shows failures well enough.
var quiet = slog.New(slog.DiscardHandler)

func newHome(t testing.TB) paths.Home {
	t.Helper()
	h, err := paths.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Create(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(h.Run()) }) // it may lie outside of the temporary folder
	return h
}

func startBus(t *testing.T) (*Server, paths.Home) {
	t.Helper()
	h := newHome(t)
	s, err := Start(t.Context(), h, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, h
}

func connect(t testing.TB, h paths.Home, d api.Daemon) *bus.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := bus.Connect(ctx, h, d, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func bucket(t testing.TB, c *bus.Conn, name string) *bus.Bucket {
	t.Helper()
	b, err := c.Bucket(within(t, 5*time.Second), name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// within is a context for one call that must not take longer.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func TestStartAndClose(t *testing.T) {
	h := newHome(t)
	for range 2 { // the second finds files, keys and, as after a crash, a stale socket
		s, err := Start(t.Context(), h, quiet)
		if err != nil {
			t.Fatal(err)
		}
		fi, err := os.Stat(h.Socket(api.Launcher))
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
			t.Errorf("socket has mode %v", fi.Mode())
		}
		c := connect(t, h, api.CLI)
		c.Close()
		s.Close()
		stale, err := net.Listen("unix", h.Socket(api.Launcher))
		if err != nil {
			t.Fatalf("the socket is still there: %v", err)
		}
		stale.(*net.UnixListener).SetUnlinkOnClose(false)
		stale.Close()
	}
}

func TestSeedsAreKeptAndPrivate(t *testing.T) {
	h := newHome(t)
	for _, d := range users() {
		first, err := userKey(h, d)
		if err != nil {
			t.Fatal(err)
		}
		again, err := userKey(h, d)
		if err != nil || again != first {
			t.Errorf("%s: key %s, then %s (%v)", d, first, again, err)
		}
		fi, err := os.Stat(h.BusSeed(d))
		if err != nil {
			t.Fatal(err)
		}
		if runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
			t.Errorf("%s: seed has mode %v", d, fi.Mode())
		}
	}
	if err := os.WriteFile(h.BusSeed(api.CLI), []byte("SUAnonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), h, quiet); err == nil {
		t.Error("a damaged seed was taken")
	}
}

// A client with a key of another home must not get in.
func TestForeignKeyIsRefused(t *testing.T) {
	_, h := startBus(t)
	other := newHome(t)
	if _, err := userKey(other, api.CLI); err != nil {
		t.Fatal(err)
	}
	seed, err := os.ReadFile(other.BusSeed(api.CLI))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.BusSeed(api.CLI), seed, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := bus.Connect(within(t, time.Second), h, api.CLI, quiet); err == nil {
		c.Close()
		t.Fatal("a foreign key was let in")
	}
}

// A node works without any name server, and does not wait for one.
func TestNoNameLookup(t *testing.T) {
	_, h := startBus(t)
	old := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = old })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		t.Error("a name server was asked")
		return nil, net.ErrClosed
	}}
	connect(t, h, api.CLI)
}
