package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
	"github.com/realm-mesh/realm/e2e/internal/wasm"
)

// TestReplicas scales a command up and down over three nodes, drains the one that runs
// it, and gives one a role. It runs all the time.
func TestReplicas(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 3)
	do(t, nodes[0], "push", "--name", "ticker", "--file", sample("ticker"), "--replicas", "1")
	r := watchReplicas(t, nodes[0], "ticker")
	first := r.settle(1, 0)
	r.mark()

	do(t, nodes[1], "scale", "ticker", "2")
	if two := r.settle(2, 0); two[0] != first[0] && two[1] != first[0] {
		t.Errorf("scaled from %v to %v: the one that ran was moved", first, two)
	}
	do(t, nodes[0], "scale", "ticker", "every")
	r.settle(3, 0)
	refuse(t, nodes[0], []string{"3 of 5"}, "scale", "ticker", "5", "--timeout", "3s")
	if out := do(t, nodes[0], "explain", "ticker"); !strings.Contains(out, "3 of 5") {
		t.Errorf("realm explain does not say that 2 are missing:\n%s", out)
	}
	do(t, nodes[2], "scale", "ticker", "1")
	r.settleOn(first[0])

	runner := byPeer(t, nodes, first[0])
	elsewhere := others(t, nodes, first)[0]
	do(t, elsewhere, "node", "drain", first[0])
	r.settleOff(first[0])
	if out := do(t, runner, "explain", "ticker"); !strings.Contains(out, "drained") {
		t.Errorf("realm explain does not say that the node is drained:\n%s", out)
	}
	do(t, elsewhere, "node", "resume", first[0])
	r.settleOn(first[0])
	r.neverBelow(1)

	do(t, nodes[0], "push", "--name", "special", "--file", sample("ticker"), "--replicas", "1", "--tag", "special", "--wait=false")
	s := watchReplicas(t, nodes[0], "special")
	if out := do(t, nodes[0], "explain", "special"); !strings.Contains(out, "0 of 1") || !strings.Contains(out, "tag special") {
		t.Errorf("realm explain does not say that no node has the tag:\n%s", out)
	}
	chosen := peerOf(t, nodes[2])
	do(t, nodes[0], "node", "set", chosen, "--role", "special")
	s.settleOn(chosen)
}

// TestSuccessor kills what runs a replica: the daemon, then the node. The first comes
// back where it was, the second is replaced, and has its place again when it is back.
func TestSuccessor(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 3)
	do(t, nodes[0], "push", "--name", "ticker", "--file", sample("ticker"), "--replicas", "1")
	r := watchReplicas(t, nodes[0], "ticker")
	first := r.settle(1, 0)
	if first[0] == peerOf(t, nodes[0]) { // which tells what happens
		do(t, nodes[0], "node", "drain", first[0])
		first[0] = r.settleOff(first[0])
	}
	runner := byPeer(t, nodes, first[0])
	pid, err := runner.DaemonPID(testContext(t), "runnerd")
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := runner.WaitReady(testContext(t)); err != nil {
		t.Fatal(err)
	}
	if back := r.settle(1, 0); back[0] != first[0] {
		t.Errorf("it moved from %v to %v though its node was away for a moment only", first, back)
	}

	if err := runner.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-runner.Done()
	died := time.Now()
	r.settleOff(first[0])
	took := time.Since(died)
	t.Logf("a dead node's replica ran elsewhere after %v", took.Round(100*time.Millisecond))
	if took > 20*time.Second {
		t.Errorf("a dead node's replica ran elsewhere after %v, want 20 s at most", took)
	}
	r.mark()
	start(t, runner, "--mdns=false")
	r.settleOn(first[0]) // where it ranks first
	r.neverBelow(1)
}

// TestBadVersion brings a version to five nodes that ends at once, and one that never
// gets well. Neither costs a good replica, and both are taken back in a moment.
func TestBadVersion(t *testing.T) {
	nodes := startMesh(t, 5)
	do(t, nodes[0], "push", "--name", "ticker", "--file", sample("ticker"))
	r := watchReplicas(t, nodes[0], "ticker")
	r.settle(5, 1)
	r.mark()
	crash := filepath.Join(t.TempDir(), "crash.wasm")
	if err := wasm.WriteCrash(crash); err != nil {
		t.Fatal(err)
	}
	refused := refuse(t, nodes[1], []string{"version 1 goes on"}, "push", "--name", "ticker", "--file", crash)
	if !strings.Contains(refused.Stderr, "unreachable") {
		t.Errorf("the error does not say how it ended:\n%s", refused)
	}
	if out := do(t, nodes[2], "explain", "ticker"); !strings.Contains(out, "realm rollback ticker") {
		t.Errorf("realm explain does not say how to go back:\n%s", out)
	}
	begun := time.Now()
	do(t, nodes[3], "rollback", "ticker")
	t.Logf("rollback took %v", time.Since(begun).Round(10*time.Millisecond))
	r.settle(5, 3)
	do(t, nodes[0], "push", "--name", "ticker", "--file", sample("ticker"), "--arg", "again")
	r.settle(5, 4)
	do(t, nodes[4], "restart", "ticker")
	r.settle(5, 5)
	r.neverBelow(5)

	do(t, nodes[0], "push", "--name", "web", "--http", "cgi", "--file", sample("hello-cgi"), "--health-path", "/healthz")
	w := watchReplicas(t, nodes[0], "web")
	w.settle(5, 1)
	w.mark()
	calls := hammer(t, nodes, "/web/")
	do(t, nodes[0], "push", "--name", "web", "--http", "cgi", "--file", sample("hello-cgi"), "--health-path", "/healthz", "--env", "GREETING=Well")
	w.settle(5, 2)
	refuse(t, nodes[0], []string{"version 2 goes on", "/healthz"}, "push", "--name", "web", "--http", "cgi", "--file", sample("hello-cgi"),
		"--health-path", "/healthz", "--update-deadline", "3s", "--env", "FAIL_HEALTH=1")
	do(t, nodes[0], "rollback", "web")
	w.settle(5, 4)
	w.neverBelow(5)
	calls()
}

// hammer asks all nodes for a path until the function it returns is called, which
// fails the test if one request was not answered well.
func hammer(t *testing.T, nodes []*node.Node, path string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var asked, failed atomic.Int64
	var first atomic.Pointer[string]
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := 0; ctx.Err() == nil; i++ {
			status, body, err := tryRequest(ctx, http.MethodGet, "http://"+nodes[i%len(nodes)].HTTP+path, "", nil)
			if ctx.Err() != nil {
				return
			}
			asked.Add(1)
			if err != nil || status != http.StatusOK {
				failed.Add(1)
				text := fmt.Sprintf("%d %v %s", status, err, body)
				first.CompareAndSwap(nil, &text)
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return func() {
		t.Helper()
		cancel()
		<-ended
		if failed.Load() > 0 {
			t.Errorf("%d of %d requests failed; the first: %s", failed.Load(), asked.Load(), *first.Load())
		}
		t.Logf("%d requests were answered", asked.Load())
	}
}

// TestMount lets a program count in a folder of the host: only once the node's own
// settings allow it, and on from where it was after a restart.
func TestMount(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	shared := t.TempDir()
	dir := filepath.Join(shared, "counter")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	push := []string{"push", "--name", "counter", "--file", sample("counter-file"), "--mount", "host=" + dir + ",guest=/data"}
	refuse(t, n, []string{"--allow-mount"}, append(push, "--timeout", "5s")...)
	if out := do(t, n, "explain", "counter"); !strings.Contains(out, "--allow-mount") {
		t.Errorf("realm explain does not say what to do:\n%s", out)
	}
	do(t, n, "configure", "--allow-mount", shared)
	do(t, n, "restart", "runnerd")
	count := func(more int) (got int) {
		t.Helper()
		until(t, "the count to go on", func(context.Context) error {
			b, err := os.ReadFile(filepath.Join(dir, "count"))
			if err != nil {
				return err
			}
			if got, err = strconv.Atoi(strings.TrimSpace(string(b))); err == nil && got < more {
				err = fmt.Errorf("it is %d", got)
			}
			return err
		})
		return got
	}
	before := count(2)
	do(t, n, "restart", "counter")
	count(before + 2)
	refuse(t, n, []string{"goes on"}, append(push[:len(push)-1], push[len(push)-1]+",ro", "--timeout", "20s")...)
	count(count(0) + 2) // the one that may write is still there
}
