// Package e2e_test drives the built binaries, and nothing else, the way a person
// would: one node, three nodes on loopback, six in containers, and faults.
package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/e2e/internal/node"
)

// binDir and samplesDir are where make build and make samples put things.
var (
	binDir     = mustAbs("../bin")
	samplesDir = mustAbs("../samples/build")
)

func mustAbs(p string) string {
	abs, err := filepath.Abs(p)
	if err != nil {
		panic(err)
	}
	return abs
}

// TestMain wants what the tests drive to be built. Tests that spend their time with
// waiting are parallel; those that fill a disk, hold a thousand connections, use
// containers, or a promise of time are not.
func TestMain(m *testing.M) {
	for _, need := range []string{filepath.Join(binDir, "realm"), filepath.Join(samplesDir, "double.wasm"), filepath.Join(clockDir, "realm")} {
		if _, err := os.Stat(need); err != nil {
			fmt.Fprintf(os.Stderr, "%s is missing: run make build samples testclock\n", need)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// patience bounds whatever a test waits for; it is no measure of speed.
const patience = 90 * time.Second

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func sample(name string) string { return filepath.Join(samplesDir, name+".wasm") }

// newNode describes a node with a home and an owner key of its own.
func newNode(t *testing.T, name, ownerKey string) *node.Node {
	t.Helper()
	dir := t.TempDir()
	if ownerKey == "" {
		ownerKey = filepath.Join(dir, "owner.pem")
	}
	n, err := node.New(t.Context(), name, binDir, filepath.Join(dir, "home"), ownerKey)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			report(t, n)
		}
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// report prints what a person would look at after a failure, and little of it: where
// several nodes have much to say, what went wrong would not be found among it.
func report(t *testing.T, n *node.Node) {
	t.Logf("--- %s, realm up:\n%s", n.Name, tail(n.Output(), 4))
	logs, _ := filepath.Glob(filepath.Join(n.Home, "logs", "daemons", "*.log"))
	for _, path := range logs {
		b, _ := os.ReadFile(path)
		t.Logf("--- %s, %s:\n%s", n.Name, filepath.Base(path), tail(string(b), 12))
	}
}

// tail is the last n lines of s that do not only tell an address.
func tail(s string, n int) string {
	l := strings.Split(strings.TrimRight(s, "\n"), "\n")
	l = slices.DeleteFunc(l, func(line string) bool { return strings.Contains(line, " msg=listening ") })
	return strings.Join(l[max(0, len(l)-n):], "\n")
}

// startNode brings up one node whose owner is on this machine.
func startNode(t *testing.T, flags ...string) *node.Node {
	t.Helper()
	n := newNode(t, "node", "")
	do(t, n, "init")
	start(t, n, flags...)
	return n
}

func start(t *testing.T, n *node.Node, flags ...string) {
	t.Helper()
	if err := n.Start(testContext(t), flags...); err != nil {
		t.Fatal(err)
	}
}

// startMesh brings up count nodes of one owner that know node 1 by address, and
// waits until all have found each other.
func startMesh(t *testing.T, count int) []*node.Node {
	t.Helper()
	first := newNode(t, "node 1", "")
	do(t, first, "init")
	start(t, first, "--mdns=false")
	addr, err := first.Addr(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	nodes := []*node.Node{first}
	for i := 2; i <= count; i++ {
		n := newNode(t, fmt.Sprintf("node %d", i), first.OwnerKey)
		if err := n.StartOnly("--mdns=false", "--bootstrap", addr); err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		if err := n.WaitReady(testContext(t)); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range nodes {
		waitPeers(t, n, count-1)
	}
	return nodes
}

func waitPeers(t *testing.T, n *node.Node, want int) {
	t.Helper()
	until(t, fmt.Sprintf("%s connected to %d", n.Name, want), func(ctx context.Context) error {
		p, err := n.Peers(ctx)
		if err == nil && p.Connected() != want {
			err = fmt.Errorf("connected to %d", p.Connected())
		}
		return err
	})
}

// do runs a command that must succeed.
func do(t *testing.T, n *node.Node, args ...string) string {
	t.Helper()
	out, err := n.Do(testContext(t), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// refuse runs a command that must fail with each of these words in what it prints.
func refuse(t *testing.T, n *node.Node, words []string, args ...string) node.Result {
	t.Helper()
	r := n.CLI(testContext(t), args...)
	if r.Code == 0 {
		t.Fatalf("%s was not refused", r)
	}
	for _, w := range words {
		if !strings.Contains(r.Stderr, w) {
			t.Errorf("want %q in the error of\n%s", w, r)
		}
	}
	return r
}

func until(t *testing.T, what string, try func(context.Context) error) {
	t.Helper()
	if err := node.Until(testContext(t), what, try); err != nil {
		t.Fatal(err)
	}
}

// request makes an HTTP request and returns status and body.
func request(t *testing.T, method, url, body string, header map[string]string) (int, string) {
	t.Helper()
	status, got, err := tryRequest(testContext(t), method, url, body, header)
	if err != nil {
		t.Fatal(err)
	}
	return status, got
}

var jsonType = map[string]string{"Content-Type": "application/json"}

func tryRequest(ctx context.Context, method, url, body string, header map[string]string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for k, v := range header {
		if k == "Host" {
			req.Host = v
		}
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := readCapped(resp.Body)
	return resp.StatusCode, b, err
}
