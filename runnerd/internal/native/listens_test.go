//go:build linux

package native_test

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/runnerd/internal/native"
)

// TestListens has programs listen, on all kinds of addresses, and others of the machine.
func TestListens(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	each(t, func(t *testing.T, m native.Confinement) {
		for addr, want := range map[string]bool{"127.0.0.1:0": true, ":0": true, "0.0.0.0:0": true, "[::1]:0": true, "127.0.0.2:0": true} {
			p := newPlace(t, m)
			p.spec.Argv = []string{exe(t), hostileCommand, "listen", addr, p.token}
			e := p.start()
			port := 0
			for end := time.Now().Add(20 * time.Second); port == 0 && time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				for _, l := range p.lines() {
					port, _ = strconv.Atoi(strings.TrimPrefix(l, "stdout "))
				}
			}
			if got, err := e.Listens(port); got != want || err != nil {
				t.Errorf("%s, port %d: %v, %v; %q", addr, port, got, err, p.lines())
			}
			if got, err := e.Listens(other.Addr().(*net.TCPAddr).Port); got || err != nil {
				t.Errorf("another's port is said to be its own: %v", err)
			}
			if got, err := e.Listens(1); got || err != nil {
				t.Errorf("a port on which nobody listens: %v, %v", got, err)
			}
			if addr == "127.0.0.2:0" {
				both, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
				if err != nil {
					t.Fatal(err)
				}
				if got, _ := e.Listens(port); got {
					t.Error("another one listens on the same port, and it is said to be alone")
				}
				both.Close()
			}
			if err := e.Stop(0); err != nil {
				t.Error(err)
			}
			p.wait(e)
			if got, _ := e.Listens(port); got {
				t.Error("it listens after its end")
			}
		}
	})
}
