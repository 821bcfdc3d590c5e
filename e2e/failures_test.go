//go:build unix

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
	"github.com/realm-mesh/realm/internal/kit/hosttest"
)

// load is clients that send requests one after the other, and what became of those.
type load struct {
	url    string
	stop   context.CancelFunc
	ended  sync.WaitGroup
	good   atomic.Int64
	last   atomic.Int64 // when one was answered well, Unix nanoseconds
	pause  atomic.Int64 // the longest time without one, nanoseconds
	mu     sync.Mutex
	failed map[string]map[string]int // by method and what has happened
}

// cut is what has happened to an answer that had begun.
const cut = "cut"

// startLoad has so many clients of each method send.
func startLoad(t *testing.T, url string, clients int) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(testContext(t))
	l := &load{url: url, stop: cancel, failed: map[string]map[string]int{http.MethodGet: {}, http.MethodPost: {}}}
	l.last.Store(time.Now().UnixNano())
	for range clients {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			l.ended.Go(func() { l.send(ctx, method) })
		}
	}
	t.Cleanup(func() { l.end() })
	return l
}

func (l *load) end() {
	l.stop()
	l.ended.Wait()
}

func (l *load) send(ctx context.Context, method string) {
	for ctx.Err() == nil {
		status, _, err := tryRequest(ctx, method, l.url, "", nil)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && status == http.StatusOK:
			l.good.Add(1)
			now := time.Now().UnixNano()
			for pause := now - l.last.Swap(now); ; {
				before := l.pause.Load()
				if pause <= before || l.pause.CompareAndSwap(before, pause) {
					break
				}
			}
		default:
			what := fmt.Sprint(status)
			switch {
			case err != nil && status == http.StatusOK:
				what = cut
			case err != nil:
				what = err.Error()
			}
			l.mu.Lock()
			l.failed[method][what]++
			l.mu.Unlock()
		}
	}
}

// await waits until so many more have been answered well.
func (l *load) await(t *testing.T, more int64) {
	t.Helper()
	want := l.good.Load() + more
	until(t, fmt.Sprintf("%d more answers", more), func(context.Context) error {
		if got := l.good.Load(); got < want {
			return fmt.Errorf("%d are missing", want-got)
		}
		return nil
	})
}

// cutOff drops every packet from and to a node's mesh port, until heal is called.
func cutOff(t *testing.T, n *node.Node) (heal func()) {
	t.Helper()
	var st struct{ Node struct{ Addrs []string } }
	if err := n.JSON(testContext(t), &st, "status"); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(st.Node.Addrs[0], "/") // /ip4/ADDRESS/udp/PORT/…
	port, err := strconv.ParseUint(parts[4], 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	rules := func(do string) (err error) {
		for _, program := range []string{"iptables", "ip6tables"} {
			for _, protocol := range []string{"udp", "tcp"} {
				for _, side := range []string{"--sport", "--dport"} {
					cmd := exec.CommandContext(context.Background(), program, "-w", do, "INPUT", "-p", protocol, side, fmt.Sprint(port), "-j", "DROP")
					if out, e := cmd.CombinedOutput(); e != nil {
						err = errors.Join(err, fmt.Errorf("%s: %w: %s", cmd, e, out))
					}
				}
			}
		}
		return err
	}
	heal = func() {
		if err := rules("-D"); err != nil {
			t.Error(err)
		}
	}
	if err := rules("-I"); err != nil {
		heal()
		t.Fatal(err)
	}
	return heal
}

// TestFailuresUnderLoad has parts of a mesh fail while it is asked: only what was under way
// there fails, what may be repeated does not if its answer had not begun, and others answer soon.
func TestFailuresUnderLoad(t *testing.T) {
	const clients = 4
	nodes := startMesh(t, 3)
	do(t, nodes[0], "push", "--name", "there", "--http", "cgi", "--replicas", "every",
		"--peer", peerOf(t, nodes[1]), "--peer", peerOf(t, nodes[2]), "--file", sample("hello-cgi"))
	do(t, nodes[0], "push", "--name", "here", "--http", "cgi", "--peer", peerOf(t, nodes[0]), "--file", sample("hello-cgi"))
	hurt := func(n *node.Node, daemon string, with syscall.Signal) {
		t.Helper()
		pid, err := n.DaemonPID(testContext(t), daemon)
		if err == nil {
			err = syscall.Kill(pid, with)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		name, program string
		fail          func(t *testing.T)
	}{
		{"runnerd of a peer", "there", func(t *testing.T) { hurt(nodes[1], "runnerd", syscall.SIGKILL) }},
		{"meshd of a peer", "there", func(t *testing.T) { hurt(nodes[2], "meshd", syscall.SIGKILL) }},
		{"a peer that stands still", "there", func(t *testing.T) {
			pid, err := nodes[1].DaemonPID(testContext(t), "meshd")
			if err != nil {
				t.Fatal(err)
			}
			_ = syscall.Kill(pid, syscall.SIGSTOP)
			t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGCONT) })
			time.Sleep(4 * time.Second) // it is silent for so long
		}},
		{"the line to a peer", "there", func(t *testing.T) {
			hosttest.Need(t, hosttest.Firewall)
			t.Cleanup(cutOff(t, nodes[1]))
			time.Sleep(4 * time.Second)
		}},
		{"own meshd", "there", func(t *testing.T) { hurt(nodes[0], "meshd", syscall.SIGKILL) }},
		{"own runnerd", "here", func(t *testing.T) { hurt(nodes[0], "runnerd", syscall.SIGKILL) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, n := range nodes {
				if err := n.WaitReady(testContext(t)); err != nil {
					t.Fatal(err)
				}
			}
			waitPeers(t, nodes[0], 2)
			url := "http://" + nodes[0].HTTP + "/" + tt.program + "/echo"
			until(t, "it answers", func(ctx context.Context) error {
				status, got, err := tryRequest(ctx, http.MethodGet, url, "", nil)
				if err == nil && status != http.StatusOK {
					err = fmt.Errorf("%d %s", status, got)
				}
				return err
			})
			l := startLoad(t, url, clients)
			l.await(t, 200)
			tt.fail(t)
			l.await(t, 500)
			l.end()
			t.Logf("%d answers, %v without one at the most, %v failed", l.good.Load(), time.Duration(l.pause.Load()), l.failed)
			for method, all := range l.failed {
				for what, n := range all {
					// A process that is killed closes one connection after the other: who hears
					// of the end of one may send again on the next.
					if n > 2*clients || what != cut && (what != "502" || method != http.MethodPost) {
						t.Errorf("%d %s: %s; %d clients were at it", n, method, what, clients)
					}
				}
			}
			if pause := time.Duration(l.pause.Load()); pause > 5*time.Second { // 2 s on a machine that does nothing else
				t.Errorf("for %v nothing was answered", pause)
			}
		})
	}
}
