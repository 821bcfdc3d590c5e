package node

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/gossip"
	"github.com/realm-mesh/realm/meshd/internal/intents/storetest"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// envChild makes the test binary a member of its own process, with its files in
// the folder that the variable names: a process can be killed, a goroutine cannot.
const envChild = "REALM_TEST_MEMBER"

// child is that member. It prints its address and lives until its input ends.
func child(dir string) {
	if err := runChild(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runChild(dir string) error {
	key, err := keys.ReadOrCreate(filepath.Join(dir, "node.pem"))
	if err != nil {
		return err
	}
	pin, err := trust.ReadPin(filepath.Join(dir, "trust.json"))
	if err != nil {
		return err
	}
	boot, err := p2p.ParseBootstrap(strings.Fields(os.Getenv("REALM_BOOTSTRAP")))
	if err != nil {
		return err
	}
	marks, err := trust.OpenMarks(filepath.Join(dir, "marks.log"))
	if err != nil {
		return err
	}
	defer marks.Close()
	n, err := Open(context.Background(), Config{
		Key: key, Pin: pin, Fact: api.PeerFact{Version: "child"}, Bootstrap: boot,
		Book: filepath.Join(dir, "peers.json"), Store: storetest.NewMemory(), Marks: marks,
		Room: func(int64) error { return nil }, Log: testLog(),
		Listen: func(ctx context.Context, h host.Host) error {
			port, err := p2p.KeptPort(ctx, filepath.Join(dir, "port"))
			if err != nil {
				return err
			}
			return h.Network().Listen(ma.StringCast(fmt.Sprintf("/ip4/127.0.0.1/udp/%d/quic-v1", port)))
		},
		Observe: Observer{Gossip: func(string, gossip.Verdict) {}, Intent: func(string, bool, error) {}, Sync: func(int, error) {}, Stream: func(api.Service, bool) {}},
	})
	if err != nil {
		return err
	}
	fmt.Println(n.Addrs()[0])
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return n.Run(ctx)
}

// newChildDir is the folder of a child of o's realm.
func newChildDir(t *testing.T, o owner) string {
	t.Helper()
	dir := t.TempDir()
	if err := o.pin.Write(filepath.Join(dir, "trust.json")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// startChild runs a member in a process that knows m, and returns how to kill it.
func startChild(t *testing.T, dir string, m *member) (id peer.ID, kill func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), envChild+"="+dir, "REALM_BOOTSTRAP="+m.Addrs()[0])
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Process.Kill() // it may have been killed in the test
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the child says nothing: %v", err)
	}
	ai, err := peer.AddrInfoFromString(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return ai.ID, func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait()
	}
}
