//go:build unix

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/realm-mesh/realm/e2e/internal/node"
)

// TestThreeNodes pushes on one node and uses the program on the others.
func TestThreeNodes(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 3)

	t.Run("a push runs everywhere", func(t *testing.T) {
		do(t, nodes[0], "fn", "deploy", "--wasm", sample("double"), "--name", "double")
		do(t, nodes[1], "push", "--name", "hello", "--http", "cgi", "--file", sample("hello-cgi"))
		for _, n := range nodes {
			if got := strings.TrimSpace(do(t, n, "fn", "exec", "double", "21")); got != "42" {
				t.Errorf("%s: double 21 = %s", n.Name, got)
			}
			status, got := request(t, http.MethodGet, "http://"+n.HTTP+"/hello/echo?on="+strings.ReplaceAll(n.Name, " ", ""), "", nil)
			if status != http.StatusOK {
				t.Errorf("%s: GET /hello/: %d %s", n.Name, status, got)
			}
		}
	})

	t.Run("a node without a replica calls one that has it", func(t *testing.T) {
		peer := peerOf(t, nodes[2])
		do(t, nodes[0], "push", "--name", "there", "--http", "cgi", "--peer", peer, "--file", sample("hello-cgi"))
		status, got := request(t, http.MethodPost, "http://"+nodes[0].HTTP+"/there/echo", "over one hop", nil)
		if status != http.StatusOK || !strings.Contains(got, "over one hop") {
			t.Errorf("POST /there/echo: %d %s", status, got)
		}
		// Nobody else runs it.
		for _, n := range nodes[:2] {
			if r := n.CLI(testContext(t), "logs", "there", "--tail", "1"); strings.Contains(r.Stdout, "over one hop") {
				t.Errorf("%s ran a program that was meant for another", n.Name)
			}
		}
	})

	t.Run("who was away catches up", func(t *testing.T) {
		if err := nodes[2].Stop(); err != nil {
			t.Fatal(err)
		}
		waitPeers(t, nodes[0], 1)
		do(t, nodes[0], "fn", "deploy", "--wasm", sample("double"), "--name", "later")
		start(t, nodes[2], "--mdns=false") // its peers are remembered
		until(t, "node 3 runs what was pushed meanwhile", func(ctx context.Context) error {
			return runsAll(ctx, nodes[2], []string{"later"})
		})
	})

	t.Run("a killed node is noticed and comes back", func(t *testing.T) {
		if err := nodes[1].Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-nodes[1].Done()
		waitPeers(t, nodes[0], 1)
		if got := strings.TrimSpace(do(t, nodes[0], "fn", "exec", "double", "4")); got != "8" {
			t.Errorf("double 4 = %s while a node is dead", got)
		}
		do(t, nodes[0], "rm", "hello")
		start(t, nodes[1], "--mdns=false")
		waitPeers(t, nodes[1], 2)
		until(t, "node 2 knows that hello was removed", func(ctx context.Context) error {
			status, _, err := tryRequest(ctx, http.MethodGet, "http://"+nodes[1].HTTP+"/hello/", "", nil)
			if err == nil && status != http.StatusNotFound {
				err = fmt.Errorf("status %d", status)
			}
			return err
		})
	})
}

// status is what these tests read of realm status --json.
type status struct {
	Workloads []struct {
		Kind, Name string
		Members    []struct{ Peer, State, Reason string }
	}
}

// runs reports whether a workload runs on a member.
func (s status) runs(name, peer string) bool {
	for _, w := range s.Workloads {
		for _, m := range w.Members {
			if w.Name == name && m.Peer == peer && m.State == "running" {
				return true
			}
		}
	}
	return false
}

// knows reports whether a workload is listed at all.
func (s status) knows(name string) bool {
	for _, w := range s.Workloads {
		if w.Name == name {
			return true
		}
	}
	return false
}

func peerOf(t *testing.T, n *node.Node) string {
	t.Helper()
	var who struct{ Peer string }
	if err := n.JSON(testContext(t), &who, "whoami"); err != nil {
		t.Fatal(err)
	}
	return who.Peer
}
