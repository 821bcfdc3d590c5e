//go:build unix

package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
	"github.com/realm-mesh/realm/e2e/internal/wasm"
)

// TestAcceptedIsKept makes a promise of an exit code: during 100 pushes a random
// daemon is killed 30 times, and whatever push said was accepted runs everywhere
// at the end.
func TestAcceptedIsKept(t *testing.T) {
	t.Parallel()
	const pushes, kills = 100, 30
	nodes := startMesh(t, 3)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()

	var killing sync.WaitGroup
	stopKilling := make(chan struct{})
	var killed atomic.Int32
	killing.Go(func() {
		for killed.Load() < kills {
			select {
			case <-stopKilling:
				return
			case <-time.After(time.Duration(100+rand.IntN(500)) * time.Millisecond):
			}
			n, victim := nodes[rand.IntN(len(nodes))], daemons[rand.IntN(len(daemons))]
			if pid, err := n.DaemonPID(ctx, victim); err == nil && syscall.Kill(pid, syscall.SIGKILL) == nil {
				killed.Add(1)
			}
		}
	})

	dir := t.TempDir()
	var accepted []string
	pushed := 0
	// On a fast machine the pushes go on until all kills have fallen among them.
	for i := 0; i < pushes || killed.Load() < kills && i < 5*pushes; i++ {
		pushed++
		name := fmt.Sprintf("prog-%d", i)
		file := filepath.Join(dir, name+".wasm")
		if err := wasm.WriteConst(file, int64(i)); err != nil {
			t.Fatal(err)
		}
		if r := nodes[i%len(nodes)].CLI(ctx, "fn", "deploy", "--wasm", file, "--name", name, "--timeout", "60s"); r.Code == 0 {
			accepted = append(accepted, name)
		} else {
			t.Logf("not accepted: %s", r)
		}
	}
	close(stopKilling)
	killing.Wait()
	if n := killed.Load(); n < kills {
		t.Errorf("only %d of %d kills fell among the pushes", n, kills)
	}
	t.Logf("%d of %d pushes accepted, %d kills", len(accepted), pushed, killed.Load())
	if len(accepted) < pushed*9/10 {
		t.Errorf("only %d of %d pushes came through", len(accepted), pushed)
	}
	for _, n := range nodes {
		until(t, "all that was accepted on "+n.Name, func(ctx context.Context) error { return runsAll(ctx, n, accepted) })
		if err := n.WaitReady(testContext(t)); err != nil {
			t.Error(err)
		}
	}
	for i, name := range accepted {
		n := nodes[i%len(nodes)]
		want := strings.TrimPrefix(name, "prog-") // what WriteConst has it return
		if out, err := n.Do(ctx, "fn", "exec", name); err != nil || strings.TrimSpace(out) != want {
			t.Errorf("%s: %s answers %q, %v", n.Name, name, out, err)
		}
	}
}

// runsAll wants every name to run on n itself.
func runsAll(ctx context.Context, n *node.Node, names []string) error {
	var who node.Whoami
	if err := n.JSON(ctx, &who, "whoami"); err != nil {
		return err
	}
	var st status
	if err := n.JSON(ctx, &st, "status"); err != nil {
		return err
	}
	for _, name := range names {
		if !st.runs(name, who.Peer) {
			return fmt.Errorf("%s does not run on %s", name, n.Name)
		}
	}
	return nil
}
