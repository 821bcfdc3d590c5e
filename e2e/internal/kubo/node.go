package kubo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
)

// Node is a running ipfs daemon with a repository of its own.
type Node struct {
	ipfs, dir string
	api       string // http://HOST:PORT of its RPC

	cmd  *exec.Cmd
	out  bytes.Buffer  // of the daemon; to be read once done is closed
	done chan struct{} // closed when the daemon has ended
}

// Start runs a node of the binary ipfs, with a fresh repository in dir, until
// [Node.Stop]. Those with the same key, of [NewKey], form a private network, which
// has TCP alone; without a key they speak QUIC.
func Start(ctx context.Context, ipfs, dir, key string) (*Node, error) {
	n := &Node{ipfs: ipfs, dir: dir, done: make(chan struct{})}
	if _, err := n.Do(ctx, "init"); err != nil {
		return nil, err
	}
	if key != "" {
		if err := os.WriteFile(filepath.Join(dir, "swarm.key"), []byte(key), 0o600); err != nil {
			return nil, err
		}
	}
	if err := configure(filepath.Join(dir, "config"), key != ""); err != nil {
		return nil, err
	}
	n.cmd = exec.Command(ipfs, "daemon") //nolint:noctx // ends by Stop
	n.cmd.Env = n.environ()
	n.cmd.Stdout, n.cmd.Stderr = &n.out, &n.out
	if err := n.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start ipfs: %w", err)
	}
	go func() {
		_ = n.cmd.Wait() // the state is read from cmd.ProcessState
		close(n.done)
	}()
	if err := n.ready(ctx); err != nil {
		return nil, errors.Join(err, n.Stop(), errors.New(n.out.String()))
	}
	return n, nil
}

func (n *Node) environ() []string {
	return append(os.Environ(), "IPFS_PATH="+n.dir, "IPFS_TELEMETRY=off")
}

// Do runs ipfs with args and returns its standard output.
func (n *Node) Do(ctx context.Context, args ...string) (string, error) {
	var stdout, stderr strings.Builder
	cmd := exec.CommandContext(ctx, n.ipfs, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = n.environ(), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("ipfs %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(stdout.String()), nil
}

// ready waits until the daemon answers.
func (n *Node) ready(ctx context.Context) error {
	return node.Until(ctx, "ipfs daemon", func(ctx context.Context) error {
		select {
		case <-n.done:
			return node.Final(errors.New("it ended"))
		default:
		}
		addr, err := os.ReadFile(filepath.Join(n.dir, "api")) // where the RPC listens, once it does
		if err != nil {
			return err
		}
		f := strings.Split(strings.TrimSpace(string(addr)), "/") // /ip4/HOST/tcp/PORT
		if len(f) != 5 {
			return node.Final(fmt.Errorf("its address is %q", addr))
		}
		n.api = "http://" + f[2] + ":" + f[4]
		return n.call(ctx, nil, "id", nil)
	})
}

// PID is the process id of the daemon.
func (n *Node) PID() int { return n.cmd.Process.Pid }

// stopTimeout is how long a daemon may take to end.
const stopTimeout = 20 * time.Second

// Stop ends the daemon; one that does not end in time is killed, which is an error.
func (n *Node) Stop() error {
	_ = n.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-n.done:
		return nil
	case <-time.After(stopTimeout):
		_ = n.cmd.Process.Kill()
		<-n.done
		return fmt.Errorf("ipfs daemon in %s did not stop in time", n.dir)
	}
}
