// Package node drives a Realm node from the outside, as a person would: through
// the built binaries alone. Tests, the demo and the benchmarks share it.
package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Node is one node with a home of its own.
type Node struct {
	Name     string
	Bin      string // folder of the built binaries
	Home     string
	OwnerKey string   // file of the owner's private key; need not exist
	HTTP     string   // HOST:PORT of the programs
	Manage   string   // HOST:PORT of metrics and logs
	Env      []string // added to the environment of every command

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when realm up has ended
	out  *lines
}

// New describes a node in home, on free ports. It starts nothing.
func New(ctx context.Context, name, bin, home, ownerKey string) (*Node, error) {
	n := &Node{Name: name, Bin: bin, Home: home, OwnerKey: ownerKey}
	for _, addr := range []*string{&n.HTTP, &n.Manage} {
		free, err := FreeAddr(ctx)
		if err != nil {
			return nil, err
		}
		*addr = free
	}
	return n, nil
}

// given holds the ports that FreeAddr has returned: a node may listen on its own much later.
var given sync.Map

// FreeAddr is an address that nobody listens at, and that no other node was given. The
// system hands out other ports than these by itself, to whoever connects before the node
// listens; and nodes choose higher ones for the mesh.
func FreeAddr(ctx context.Context) (string, error) {
	const first, count, tries = 12000, 8000, 100
	var last error
	for range tries {
		addr := fmt.Sprintf("127.0.0.1:%d", first+rand.IntN(count))
		if _, taken := given.LoadOrStore(addr, true); taken {
			last = errors.New(addr + " was given to a node")
			continue
		}
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err == nil {
			return addr, ln.Close()
		}
		last = err
	}
	return "", fmt.Errorf("find a free port: %w", last)
}

// environ is the environment of a person who has nothing else of Realm set.
func (n *Node) environ() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "REALM_") {
			env = append(env, kv)
		}
	}
	// With contexts of their own, too.
	return append(append(env, "REALM_HOME="+n.Home, "REALM_OWNER_KEY="+n.OwnerKey, "XDG_CONFIG_HOME="+n.Home+".config"), n.Env...)
}

// Command is realm with args, for this node.
func (n *Node) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(n.Bin, "realm"), args...)
	cmd.Env = n.environ()
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// Result is how a command ended.
type Result struct {
	Args           []string
	Stdout, Stderr string
	Code           int
}

func (r Result) String() string {
	return fmt.Sprintf("$ realm %s  (exit %d)\n%s%s", strings.Join(r.Args, " "), r.Code, r.Stdout, r.Stderr)
}

// CLI runs realm with args to its end.
func (n *Node) CLI(ctx context.Context, args ...string) Result {
	var stdout, stderr bytes.Buffer
	cmd := n.Command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	r := Result{Args: args, Stdout: stdout.String(), Stderr: stderr.String(), Code: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.Code, r.Stderr = -1, r.Stderr+err.Error()+"\n"
	}
	return r
}

// Do is [Node.CLI] for commands that must succeed; it returns their standard output.
func (n *Node) Do(ctx context.Context, args ...string) (string, error) {
	r := n.CLI(ctx, args...)
	if r.Code != 0 {
		return r.Stdout, fmt.Errorf("%s: %s", n.Name, r)
	}
	return r.Stdout, nil
}

// JSON runs realm ARGS --json and decodes its standard output into v.
func (n *Node) JSON(ctx context.Context, v any, args ...string) error {
	out, err := n.Do(ctx, append(args, "--json")...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(out), v); err != nil {
		return fmt.Errorf("%s: realm %s --json: %w in %s", n.Name, strings.Join(args, " "), err, out)
	}
	return nil
}

// Start runs realm up with these flags and returns when the node says that it is ready.
func (n *Node) Start(ctx context.Context, flags ...string) error {
	if err := n.StartOnly(flags...); err != nil {
		return err
	}
	return n.WaitReady(ctx)
}

// StartOnly runs realm up and does not wait.
func (n *Node) StartOnly(flags ...string) error {
	return n.Spawn(append([]string{"up", "--http-listen", n.HTTP, "--manage-listen", n.Manage}, flags...)...)
}

// Spawn runs realm with these arguments, which bring up the node, and does not wait.
func (n *Node) Spawn(args ...string) error {
	cmd := exec.Command(filepath.Join(n.Bin, "realm"), args...) //nolint:noctx // ends by Stop or Kill
	cmd.Env = n.environ()
	cmd.SysProcAttr = ownGroup() // a Ctrl-C for the test is not one for the node
	out := &lines{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", n.Name, err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the exit code is read from cmd.ProcessState
		close(done)
	}()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cmd, n.done, n.out = cmd, done, out
	return nil
}

// WaitReady returns when all daemons of the node are ready.
func (n *Node) WaitReady(ctx context.Context) error {
	err := Until(ctx, "daemons of "+n.Name+" ready", func(ctx context.Context) error {
		select {
		case <-n.Done():
			return Final(fmt.Errorf("realm up ended with code %d", n.ExitCode()))
		default:
		}
		ps, err := n.PS(ctx)
		if err != nil {
			return err
		}
		for _, d := range ps.Daemons {
			if d.State != "ready" {
				return fmt.Errorf("%s is %s: %s", d.Daemon, d.State, d.Reason)
			}
		}
		if len(ps.Daemons) == 0 {
			return errors.New("no daemons yet")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%w\n--- output of %s:\n%s", err, n.Name, n.Output())
	}
	return nil
}

// PS is what realm ps --json says.
type PS struct {
	PID     int
	Daemons []struct {
		Daemon, State, Reason string
		PID, Restarts         int
		RSS                   int64 `json:"rss_bytes"`
	}
}

// PS asks the node for its daemons.
func (n *Node) PS(ctx context.Context) (PS, error) {
	var ps PS
	err := n.JSON(ctx, &ps, "ps")
	return ps, err
}

// DaemonPID returns the process id of a daemon.
func (n *Node) DaemonPID(ctx context.Context, daemon string) (int, error) {
	ps, err := n.PS(ctx)
	if err != nil {
		return 0, err
	}
	for _, d := range ps.Daemons {
		if d.Daemon == daemon && d.PID != 0 {
			return d.PID, nil
		}
	}
	return 0, fmt.Errorf("%s: %s does not run", n.Name, daemon)
}

// Whoami is what realm whoami --json says.
type Whoami struct {
	Peer  string
	Realm string
	Owner string
}

// Addr returns a multiaddr at which the node is reached on loopback.
func (n *Node) Addr(ctx context.Context) (string, error) {
	var st struct{ Node struct{ Addrs []string } }
	if err := n.JSON(ctx, &st, "status"); err != nil {
		return "", err
	}
	for _, a := range st.Node.Addrs {
		// Nodes listen on all addresses; loopback is there on every machine.
		if f := strings.SplitN(a, "/", 4); len(f) == 4 && f[1] == "ip4" && strings.HasPrefix(f[3], "udp/") {
			return "/ip4/127.0.0.1/" + f[3], nil
		}
	}
	return "", fmt.Errorf("%s: no IPv4 address over UDP among %v", n.Name, st.Node.Addrs)
}

// Done is closed when realm up has ended; nil before it was started.
func (n *Node) Done() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.done
}

// ExitCode is that of realm up once Done is closed.
func (n *Node) ExitCode() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cmd.ProcessState.ExitCode()
}

// Output is what realm up has printed so far.
func (n *Node) Output() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.out == nil {
		return ""
	}
	return n.out.String()
}

// PID is the process id of realm up.
func (n *Node) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cmd.Process.Pid
}

// Signal sends a signal to realm up.
func (n *Node) Signal(s os.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cmd.Process.Signal(s)
}

// Stop ends the node cleanly; one that does not end in time is killed, which is an error.
func (n *Node) Stop() error {
	if n.Done() == nil {
		return nil
	}
	_ = n.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-n.Done():
		return nil
	case <-time.After(20 * time.Second):
		_ = n.Signal(os.Kill)
		<-n.Done()
		return fmt.Errorf("%s did not stop within 20 s; its output:\n%s", n.Name, n.Output())
	}
}

// lines is an output that can be read while it is written.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

const maxOutput = 1 << 20

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.b.Len() < maxOutput {
		l.b.Write(p)
	}
	return len(p), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var _ io.Writer = (*lines)(nil)
