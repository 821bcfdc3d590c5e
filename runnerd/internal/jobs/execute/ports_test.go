package execute

import (
	"net"
	"strconv"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/runnerd/internal/jobs"
)

// TestChoosePorts has services ask for ports that are free, taken by others of the machine,
// taken by each other, and not theirs to have.
func TestChoosePorts(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	taken := other.Addr().(*net.TCPAddr).Port
	free, err := free(t.Context(), "tcp", 0)
	if err != nil {
		t.Fatal(err)
	}
	e := &Executor{all: map[api.Exec]*execution{}}
	body := &api.Job{Ports: []api.Port{{Name: "web", Port: free, Protocol: "http"}, {Name: "taken", Port: taken}, {Name: "low", Port: 80}, {Name: "dns-2", Port: free, Protocol: "udp"}}}
	seen := map[int]bool{taken: true}
	for i := range 3 {
		x := &execution{of: e, order: jobs.Order{Exec: api.Exec{Epoch: i + 1}, Body: body}, ctx: t.Context()}
		if err := x.choosePorts(); err != nil {
			t.Fatal(err)
		}
		e.all[x.order.Exec] = x
		for name, port := range x.order.Ports {
			if seen[port] || port < firstFree {
				t.Errorf("execution %d has port %d for %s", i, port, name)
			}
			seen[port] = true
		}
		if got := x.order.Ports["web"]; (got == free) != (i == 0) {
			t.Errorf("execution %d has port %d, it declares %d", i, got, free)
		}
		env := map[string]string{}
		x.portsInEnv(env)
		if want := strconv.Itoa(x.order.Ports["web"]); len(env) != 5 || env["REALM_PORT_WEB"] != want || env["PORT"] != want || env["REALM_PORT_DNS_2"] == "" {
			t.Errorf("it is told %v", env)
		}
	}
	none := &execution{of: e, order: jobs.Order{Body: &api.Job{}}, ctx: t.Context()}
	if err := none.choosePorts(); err != nil || none.order.Ports != nil {
		t.Errorf("%v, %v", none.order.Ports, err)
	}
	if _, err := none.Dial(t.Context(), "web"); err == nil {
		t.Error("it has no port, and is reached")
	}
}
