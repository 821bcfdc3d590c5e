package server_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/gatewayd/internal/server"
)

// clientOf speaks one protocol, over connections of its own.
func clientOf(t testing.TB, set func(*http.Protocols)) *http.Client {
	tr := &http.Transport{Protocols: new(http.Protocols)}
	set(tr.Protocols)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func overHTTP1(p *http.Protocols) { p.SetHTTP1(true) }
func overHTTP2(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }

func get(c *http.Client, url string) error {
	resp, err := c.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return nil
}

// TestTheLongestWaitsGoes has one place: a connection that waits goes for the next, one that
// is being answered does not.
func TestTheLongestWaitsGoes(t *testing.T) {
	for name, set := range map[string]func(*http.Protocols){"HTTP/1.1": overHTTP1, "HTTP/2": overHTTP2} {
		t.Run(name, func(t *testing.T) {
			begun, end := make(chan struct{}), make(chan struct{})
			registry := prometheus.NewRegistry()
			addr := serve(t, server.Config{Total: 1, Metrics: server.NewMetrics(registry), Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					close(begun)
					<-end
				}
			})})
			open := func(want float64) {
				t.Helper()
				for end := time.Now().Add(20 * time.Second); series(t, registry, "realm_gateway_connections", "test") != want; time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("%v are open, want %v", series(t, registry, "realm_gateway_connections", "test"), want)
					}
				}
			}
			closed := func(why string) float64 {
				return series(t, registry, "realm_gateway_connections_closed_total", why)
			}
			holder := clientOf(t, set)
			if err := get(holder, "http://"+addr); err != nil {
				t.Fatal(err)
			}
			open(1)
			// The holder's connection waits, and goes for another.
			tries := 0
			for ; !strings.HasPrefix(newcomer(addr), "HTTP/1.1 200"); tries++ {
				if tries == 100 { // it waits a moment after its answer has come
					t.Fatal("the newcomer has no place")
				}
			}
			open(0)
			if closed("waiting") != 1 || closed("full") != float64(tries) {
				t.Errorf("%v ended as they waited, %v turned away, after %d tries", closed("waiting"), closed("full"), tries)
			}

			// It is being answered, and stays.
			holder.CloseIdleConnections()
			slow := make(chan error, 1)
			go func() { slow <- get(holder, "http://"+addr+"/slow") }()
			<-begun
			open(1)
			if got := newcomer(addr); got != "" {
				t.Errorf("there was a place for a second: %q", got)
			}
			close(end)
			if err := <-slow; err != nil {
				t.Errorf("what was being answered was ended: %v", err)
			}
			if closed("waiting") != 1 || closed("full") != float64(tries+1) {
				t.Errorf("%v ended as they waited, %v turned away", closed("waiting"), closed("full"))
			}
			holder.CloseIdleConnections()
			open(0)
		})
	}
}

// newcomer asks once on a connection of its own; "" if that is ended.
func newcomer(addr string) string {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return "" // it was ended at once
	}
	defer c.Close()
	return exchange(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
}

// series is the value of the series with a label value.
func series(t testing.TB, r *prometheus.Registry, name, label string) float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if f.GetName() == name && l.GetValue() == label {
					return m.GetCounter().GetValue() + m.GetGauge().GetValue()
				}
			}
		}
	}
	t.Fatalf("no series %s of %s", name, label)
	return 0
}

// TestSlowLoris keeps a thousand connections on which heads come byte by byte, more than
// there are places, and asks beside them.
func TestSlowLoris(t *testing.T) {
	addr := serve(t, server.Config{Total: 100, Handler: http.HandlerFunc(tell)})
	ctx, cancel := context.WithCancel(t.Context())
	var lorises sync.WaitGroup
	defer lorises.Wait()
	defer cancel()
	var opened atomic.Int32
	for range 1000 {
		lorises.Go(func() {
			for ctx.Err() == nil { // each comes again when it was ended
				c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
				if err != nil {
					continue
				}
				opened.Add(1)
				for _, b := range []byte("GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("y", 1000)) {
					_, err := c.Write([]byte{b})
					if err != nil || ctx.Err() != nil {
						break
					}
					select {
					case <-ctx.Done():
					case <-time.After(500 * time.Millisecond):
					}
				}
				c.Close()
			}
		})
	}
	for opened.Load() < 1000 {
		time.Sleep(time.Millisecond)
	}
	for name, set := range map[string]func(*http.Protocols){"HTTP/1.1": overHTTP1, "HTTP/2": overHTTP2} {
		client := clientOf(t, set)
		for i := range 200 {
			if i%2 == 0 {
				client.CloseIdleConnections() // and as who comes anew
			}
			if err := get(client, "http://"+addr); err != nil {
				t.Errorf("%s, request %d: %v", name, i, err)
			}
		}
	}
	t.Logf("%d connections of lorises", opened.Load())
}

// TestPerAddress counts networks, and not this machine.
func TestPerAddress(t *testing.T) {
	for _, c := range []struct {
		name  string
		from  []string
		admit int
	}{
		{"one address", []string{"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3"}, 2},
		{"neighbours", []string{"192.0.2.1:1", "192.0.2.2:2", "192.0.2.3:3"}, 3},
		{"mapped", []string{"192.0.2.1:1", "[::ffff:192.0.2.1]:2", "192.0.2.1:3"}, 2},
		{"one network of IPv6", []string{"[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::ffff:3]:1"}, 2},
		{"networks of IPv6", []string{"[2001:db8:0:1::1]:1", "[2001:db8:0:2::1]:1", "[2001:db8:0:3::1]:1"}, 3},
		{"this machine", []string{"127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3", "[::1]:1", "[::1]:2", "[::1]:3"}, 6},
	} {
		if got := server.Admitted(c.from, 2); got != c.admit {
			t.Errorf("%s: %d admitted, want %d", c.name, got, c.admit)
		}
	}
}
