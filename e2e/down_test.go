package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
)

// killForGood kills a daemon whenever it is there, until the launcher gives it up.
func killForGood(t *testing.T, n *node.Node, daemon string) {
	t.Helper()
	kills, last := 0, 0
	until(t, "the launcher gives up "+daemon, func(ctx context.Context) error {
		ps, err := n.PS(ctx)
		if err != nil {
			return err
		}
		for _, d := range ps.Daemons {
			switch {
			case d.Daemon != daemon:
			case d.State == "failed":
				return nil
			case d.PID != 0 && d.PID != last:
				if err := syscall.Kill(d.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
					return node.Final(err)
				}
				kills, last = kills+1, d.PID
			}
		}
		return fmt.Errorf("it was killed %d times", kills)
	})
	t.Logf("the launcher gave up %s after %d kills", daemon, kills)
}

// awaitDown waits until n knows that these daemons of a peer are down.
func awaitDown(t *testing.T, n *node.Node, peer string, daemons ...string) {
	t.Helper()
	until(t, fmt.Sprintf("%s knows that %v of …%s are down", n.Name, daemons, peer[len(peer)-8:]), func(ctx context.Context) error {
		all, err := n.Peers(ctx)
		if err != nil {
			return err
		}
		for _, p := range all.Peers {
			if p.Peer == peer && slices.Equal(p.Down, daemons) {
				return nil
			}
		}
		return fmt.Errorf("it knows %+v", all.Peers)
	})
}

// TestRunnerDown kills the runnerd of a node, which is up otherwise, until its launcher
// gives up: what ran there runs elsewhere, and comes back with runnerd. A crash or a
// restart moves nothing.
func TestRunnerDown(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 3)
	do(t, nodes[0], "push", "--name", "ticker", "--file", sample("ticker"), "--replicas", "2")
	r := watchReplicas(t, nodes[0], "ticker")
	runs := r.settle(2, 0)
	runs = slices.DeleteFunc(runs, func(p string) bool { return p == peerOf(t, nodes[0]) }) // which tells what happens
	victim := byPeer(t, nodes, runs[0])
	has := func(peers []string) bool { return len(peers) == 2 && slices.Contains(peers, runs[0]) }

	do(t, victim, "restart", "runnerd")
	r.until("ticker where it was, after a restart", 0, has)
	killForGood(t, victim, "runnerd")
	failed := time.Now()
	r.until("ticker on others", 0, func(peers []string) bool { return len(peers) == 2 && !slices.Contains(peers, runs[0]) })
	took := time.Since(failed)
	t.Logf("what ran on a node without runnerd ran elsewhere %v after its launcher gave up", took.Round(100*time.Millisecond))
	if took > 40*time.Second {
		t.Errorf("what ran on a node without runnerd ran elsewhere after %v, want 40 s at most", took)
	}

	awaitDown(t, nodes[0], runs[0], "runnerd")
	awaitDown(t, victim, runs[0], "runnerd")
	for cmd, want := range map[string]string{"peers": "down: runnerd", "status": "down: runnerd", "explain ticker": "its runnerd is down"} {
		if out := do(t, nodes[0], strings.Fields(cmd)...); !strings.Contains(out, want) {
			t.Errorf("realm %s does not say %q:\n%s", cmd, want, out)
		}
	}
	refuse(t, nodes[0], []string{"2 of 3", "its runnerd is down"}, "scale", "ticker", "3", "--timeout", "3s")
	do(t, nodes[0], "scale", "ticker", "2")

	r.mark()
	do(t, victim, "restart", "runnerd")
	r.until("ticker where it was, with runnerd back", 0, has)
	awaitDown(t, nodes[0], runs[0])
	time.Sleep(5 * time.Second) // nothing moves any more
	r.until("ticker where it was", 0, has)
	r.neverBelow(2)
}
