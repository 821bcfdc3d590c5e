//go:build unix

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/e2e/internal/node"
	"github.com/realm-mesh/realm/e2e/internal/wasm"
)

// explained waits until realm explain says each of these of a workload.
func explained(t *testing.T, n *node.Node, name string, words ...string) {
	t.Helper()
	until(t, "what "+n.Name+" says of "+name, func(ctx context.Context) error {
		out, err := n.Do(ctx, "explain", name)
		for _, w := range words {
			if err == nil && !strings.Contains(out, w) {
				err = fmt.Errorf("%q is not in\n%s", w, out)
			}
		}
		return err
	})
}

// TestCeilings has programs ask for more than the only node gives, then lets one join
// that gives it, and at last has the first give more.
func TestCeilings(t *testing.T) {
	t.Parallel()
	bounded := newNode(t, "bounded", "")
	do(t, bounded, "init")
	do(t, bounded, "configure", "--program-memory-max-mb", "64", "--program-fuel-max", "1000000", "--program-epoch-max-ms", "900")
	start(t, bounded, "--mdns=false")
	ceilings := []struct{ name, flag, value, why string }{
		{"large", "--memory-max-mb", "65", "it may take 65 MiB of memory, and this node gives at most 64 to a program: realm configure --program-memory-max-mb"},
		{"hungry", "--fuel", "1000001", "it may use 1000001 units of fuel, and this node gives at most 1000000: realm configure --program-fuel-max"},
		{"slow", "--epoch-ms", "901", "its deadline is 901 ms, and this node gives at most 900: realm configure --program-epoch-max-ms"},
	}
	for i, c := range ceilings {
		push := []string{"push", "--name", c.name, "--file", sample("hello-cgi"), "--http", "cgi", "--replicas", "1", c.flag, c.value}
		if i == 0 {
			refuse(t, bounded, []string{"0 of 1", "refused", c.why}, append(push, "--timeout", "10s")...)
		} else {
			do(t, bounded, append(push, "--wait=false")...)
		}
		explained(t, bounded, c.name, "0 of 1 replica", "refused", c.why)
	}

	addr, err := bounded.Addr(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	free := newNode(t, "free", bounded.OwnerKey)
	start(t, free, "--mdns=false", "--bootstrap", addr)
	for _, c := range ceilings {
		watchReplicas(t, bounded, c.name).settleOn(peerOf(t, free))
		for _, n := range []*node.Node{bounded, free} {
			explained(t, n, c.name, "1 of 1 replica", "refused", c.why)
		}
	}
	for name, want := range map[string]struct {
		status int
		says   string
	}{
		"large":  {http.StatusOK, "over one hop"},
		"hungry": {http.StatusBadGateway, "of 1000001: "}, // what its owner has said, to the unit
	} {
		status, got := request(t, http.MethodPost, "http://"+bounded.HTTP+"/"+name+"/echo", "over one hop", nil)
		if status != want.status || !strings.Contains(got, want.says) {
			t.Errorf("POST /%s/echo: %d %s; want %d and %q", name, status, got, want.status, want.says)
		}
	}

	do(t, bounded, "fn", "deploy", "--wasm", sample("double"), "--name", "double", "--epoch-ms", "60000", "--wait=false")
	awaitOn(t, bounded, "double", free)
	explained(t, bounded, "double", "refused", "its deadline is 60000 ms, and this node gives at most 900")
	if got := strings.TrimSpace(do(t, bounded, "fn", "exec", "double", "21")); got != "42" {
		t.Errorf("double 21 = %s over one hop", got)
	}
	do(t, bounded, "configure", "--program-epoch-max-ms", "60000")
	if err := bounded.Stop(); err != nil {
		t.Fatal(err)
	}
	start(t, bounded, "--mdns=false")
	awaitOn(t, free, "double", bounded)
}

// awaitOn waits until n says that a program runs on another node.
func awaitOn(t *testing.T, n *node.Node, name string, on *node.Node) {
	t.Helper()
	peer := peerOf(t, on)
	until(t, name+" on "+on.Name, func(ctx context.Context) error {
		var st status
		err := n.JSON(ctx, &st, "status")
		if err == nil && !st.runs(name, peer) {
			err = errors.New("it does not run there")
		}
		return err
	})
}

// TestLimitsUnsaid calls programs whose owners leave their limits, or some of them, to
// the node.
func TestLimitsUnsaid(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--program-memory-mb", "16", "--program-fuel", "5000000", "--program-epoch-ms", "2500")
	spin, greedy := write(t, "spin.wasm", wasm.Spin("spin")), write(t, "greedy.wasm", wasm.Greedy("greedy"))
	const much = "1000000000000000"
	for _, c := range []struct {
		name, file string
		flags      []string
		status     int
		says       string
	}{
		{"fuel", spin, nil, http.StatusBadGateway, `out of fuel after 5000001 units of 5000000: .*--fuel`},
		{"own-fuel", spin, []string{"--fuel", "6000000"}, http.StatusBadGateway, `out of fuel after 6000001 units of 6000000: .*--fuel`},
		{"time", spin, []string{"--fuel", much}, http.StatusGatewayTimeout, `deadline of 2500 ms passed .*--epoch-ms`},
		{"own-time", spin, []string{"--fuel", much, "--epoch-ms", "400"}, http.StatusGatewayTimeout, `deadline of 400 ms passed .*--epoch-ms`},
		{"memory", greedy, []string{"--fuel", much}, http.StatusBadGateway, `refused more than 16 MiB of memory .*--memory-max-mb`},
		{"own-memory", greedy, []string{"--fuel", much, "--memory-max-mb", "24"}, http.StatusBadGateway, `refused more than 24 MiB of memory .*--memory-max-mb`},
	} {
		do(t, n, append([]string{"fn", "deploy", "--wasm", c.file, "--name", c.name}, c.flags...)...)
		status, got := request(t, http.MethodPost, "http://"+n.HTTP+"/exec", `{"name":"`+c.name+`"}`, jsonType)
		if status != c.status || !regexp.MustCompile(c.says).MatchString(got) {
			t.Errorf("%s: %d %s; want %d and %s", c.name, status, got, c.status, c.says)
		}
	}
}
