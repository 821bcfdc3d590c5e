package wasihttp

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/runnerd/internal/exchange"
	"github.com/realm-mesh/realm/runnerd/internal/program"
)

// guests counts the instances of a site that have not ended.
type guests struct {
	mu  sync.Mutex
	now int
}

func (g *guests) linger() (release func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.now++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.now--
	}
}

func (g *guests) await(t *testing.T, want int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		g.mu.Lock()
		now := g.now
		g.mu.Unlock()
		if now == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d instances, want %d", now, want)
		}
	}
}

func counted(t *testing.T, name string, change func(*exchange.Config)) (*site, *guests) {
	g := &guests{}
	return serve(t, name, func(c *exchange.Config) {
		c.Linger = g.linger
		change(c)
	}), g
}

func get(t *testing.T, url string) (status int, body string, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// TestGuestEndsWithItsClient has clients leave guests that loop, wait, or write to them.
func TestGuestEndsWithItsClient(t *testing.T) {
	s, g := counted(t, "http", func(c *exchange.Config) { c.Component.Module.Limits.EpochMS = 120_000 })
	for _, path := range []string{"/loop", "/slow/100000", "/big/10000000000", "/no-answer-yet"} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		head := "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"
		if path == "/no-answer-yet" { // the guest reads a body that does not come
			head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
		}
		if _, err := io.WriteString(conn, head); err != nil {
			t.Fatal(err)
		}
		g.await(t, 1)
		conn.Close()
		g.await(t, 0)
	}
}

// TestGuestMayGoOn lets instances go on after their responses: not for ever, and not many.
func TestGuestMayGoOn(t *testing.T) {
	s, g := counted(t, "http", func(c *exchange.Config) { c.Component.Module.Limits.EpochMS = 1500 })
	if status, body, err := get(t, s.URL+"/longer/600"); status != http.StatusOK || err != nil {
		t.Fatal(status, body, err)
	}
	g.await(t, 0)
	if len(s.program.lingering) != 0 {
		t.Error("its place is not given back")
	}
	s, g = counted(t, "http", func(c *exchange.Config) { c.Component.Module.Limits.EpochMS = 5_000 })
	for range maxLingering + 10 {
		if status, body, err := get(t, s.URL+"/longer/100000"); status != http.StatusOK || err != nil {
			t.Fatal(status, body, err)
		}
	}
	g.await(t, maxLingering)
	g.await(t, 0)
}

// TestLimitsOfRequests has what a node tells of guests that use too much.
func TestLimitsOfRequests(t *testing.T) {
	for name, c := range map[string]struct {
		path   string
		limits api.Limits
		says   string
		as     any
	}{
		"time":   {"/loop", api.Limits{EpochMS: 200}, "deadline of 200 ms", new(*engine.DeadlineError)},
		"fuel":   {"/loop", api.Limits{EpochMS: 60_000, Fuel: 10_000_000}, "--fuel", new(*engine.FuelError)},
		"a trap": {"/trap", api.Limits{}, "unreachable", new(*engine.Trap)},
		"silent": {"/no-response", api.Limits{}, "without a response", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, g := counted(t, "http", func(cfg *exchange.Config) { cfg.Component.Module.Limits = c.limits })
			status, body, err := get(t, s.URL+c.path)
			if status != http.StatusInternalServerError || err != nil || !strings.Contains(body, c.says) {
				t.Errorf("%d %s, %v", status, body, err)
			}
			g.await(t, 0)
			_, id, _ := strings.Cut(body, "(failure ")
			id, _, _ = strings.Cut(id, ",")
			if tail := strings.Join(s.log.Tail(), "\n"); len(id) != 8 || !strings.Contains(tail, "failure "+id) || !strings.Contains(tail, c.says) {
				t.Errorf("failure %q is not in the log: %s", id, tail)
			}
		})
	}
}

// TestSlowClientsHoldGuestsBack has a guest write to a client that does not read: what is
// on its way is bounded, and the guest waits.
func TestSlowClientsHoldGuestsBack(t *testing.T) {
	var most int64
	var held int64
	s, g := counted(t, "http", func(c *exchange.Config) {
		c.Component.Module.Limits.EpochMS = 120_000
		c.Account = program.Account{Holds: func(n int64) {
			held += n
			most = max(most, held)
		}}
	})
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const size = 64 << 20
	if _, err := io.WriteString(conn, "GET /big/67108864 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // it would have written all by then
	g.await(t, 1)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	g.await(t, 0)
	if most > 16<<20 {
		t.Errorf("it held %d bytes", most)
	}
}

func TestRefusesWhatDoesNotAnswer(t *testing.T) {
	for name, wasm := range map[string][]byte{"a command": wasm(t, "rust-command"), "a core module": wasmtest.Nothing()} {
		m := rig.Ready(t, wasm, 16)
		_, err := New(t.Context(), exchange.Config{Module: m, Name: "web", Component: &api.Component{}})
		if !errors.As(err, new(*program.RefusedError)) {
			t.Errorf("%s: %v", name, err)
		}
		m.Release()
	}
}

// TestProbe asks programs whether they are well.
func TestProbe(t *testing.T) {
	s, _ := counted(t, "http", func(c *exchange.Config) { c.Root = false })
	for path, says := range map[string]string{"/status/204": "", "/query?x": "", "/status/503": "503", "/trap": "unreachable", "/trap-after": "breaks off"} {
		err := s.program.Probe(t.Context(), path, 20*time.Second)
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.program.Probe(ctx, "/loop", time.Second); err == nil {
		t.Error("it was asked although nobody wants to know")
	}
}
