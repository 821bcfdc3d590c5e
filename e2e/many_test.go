//go:build linux

package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/e2e/internal/node"
	"github.com/realm-mesh/realm/e2e/internal/wasm"
)

// TestTwoHundred applies a manifest of 200 components with two replicas each on five
// nodes. It tells how long that took, how evenly they are spread, and what five nodes
// cost that have nothing to do.
func TestTwoHundred(t *testing.T) {
	const many, each = 200, 2
	nodes := startMesh(t, 5)
	dir := t.TempDir()
	if err := wasm.WriteSleep(filepath.Join(dir, "sleep.wasm")); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for i := range many {
		fmt.Fprintf(&text, "[components.sleeper-%03d]\nsource = \"sleep.wasm\"\nreplicas = %d\nmemory_max_mb = 1\n\n", i, each)
	}
	file := filepath.Join(dir, "realm.toml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	do(t, nodes[0], "apply", "--file", file, "--yes")
	t.Logf("%d components with %d replicas run %v after realm apply began", many, each, time.Since(begun).Round(100*time.Millisecond))

	share := map[string]int{}
	until(t, "all to be where they should", func(ctx context.Context) error {
		clear(share)
		out, err := nodes[4].Do(ctx, "status", "--json")
		if err != nil {
			return err
		}
		var st status
		if err := json.Unmarshal([]byte(out), &st); err != nil {
			return node.Final(err)
		}
		for _, w := range st.Workloads {
			n := 0
			for _, m := range w.Members {
				if m.State == "running" {
					share[m.Peer]++
					n++
				}
			}
			if n != each {
				return fmt.Errorf("%s runs on %d", w.Name, n)
			}
		}
		if len(st.Workloads) != many {
			return fmt.Errorf("%d components", len(st.Workloads))
		}
		return nil
	})
	fair := many * each / len(nodes)
	for peer, n := range share {
		if n < fair*8/10 || n > fair*12/10 {
			t.Errorf("…%s runs %d, a fair share is %d", api.PeerID(peer).Short(), n, fair)
		}
	}

	const window = 10 * time.Second
	var before, after time.Duration
	for _, n := range nodes {
		before += cpuTime(t, n)
	}
	time.Sleep(window)
	for _, n := range nodes {
		after += cpuTime(t, n)
	}
	t.Logf("settled, five nodes take %.1f %% of a processor each", 100*(after-before).Seconds()/window.Seconds()/float64(len(nodes)))
}

// cpuTime is what the processes of a node have had of the processors so far: fields 14
// and 15 of proc(5), in ticks of 10 ms.
func cpuTime(t *testing.T, n *node.Node) (sum time.Duration) {
	t.Helper()
	ps, err := n.PS(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	pids := []int{ps.PID}
	for _, d := range ps.Daemons {
		pids = append(pids, d.PID)
	}
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(b), ") ")
		f := strings.Fields(rest)
		user, err1 := strconv.Atoi(f[11])
		system, err2 := strconv.Atoi(f[12])
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		sum += time.Duration(user+system) * 10 * time.Millisecond
	}
	return sum
}
