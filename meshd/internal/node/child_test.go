package node

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
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

func runChild(dir string) (err error) {
	p := &place{dir: dir}
	if p.key, err = keys.Read(filepath.Join(dir, "node.pem")); err != nil {
		return err
	}
	if p.pin, err = trust.ReadPin(filepath.Join(dir, "trust.json")); err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(dir, "membership.json"))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &p.proof); err != nil {
		return err
	}
	var running atomic.Pointer[Node]
	keeper, err := p.openKeeper(&running)
	if err != nil {
		return err
	}
	defer keeper.Close()
	cfg := p.config(keeper)
	if cfg.Bootstrap, err = p2p.ParseBootstrap(strings.Fields(os.Getenv("REALM_BOOTSTRAP"))); err != nil {
		return err
	}
	cfg.Listen = func(ctx context.Context, h host.Host) error {
		port, err := p2p.KeptPort(ctx, filepath.Join(dir, "port"))
		if err != nil {
			return err
		}
		return h.Network().Listen(ma.StringCast(fmt.Sprintf("/ip4/127.0.0.1/udp/%d/quic-v1", port)))
	}
	n, err := Open(context.Background(), cfg)
	if err != nil {
		return err
	}
	running.Store(n)
	n.Table().SetOwn(api.WorkloadFact{Ref: ref("web"), Peer: n.self, Seq: 1, State: api.StateRunning, Since: time.Now()})
	fmt.Println(n.Addrs()[0])
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	kept := make(chan error, 1)
	go func() { kept <- keeper.Run(ctx) }()
	return errors.Join(n.Run(ctx), <-kept)
}

// newChildDir is the folder of a child that is a member of r.
func newChildDir(t *testing.T, r *meshtest.Realm) string {
	t.Helper()
	dir := t.TempDir()
	key, err := keys.Create(filepath.Join(dir, "node.pem"))
	if err != nil {
		t.Fatal(err)
	}
	r.Admit(t, key)
	writeHome(t, dir, r.Pin, r.Proof(key))
	return dir
}

func writeHome(t *testing.T, dir string, pin trust.Pin, proof api.Proof) {
	t.Helper()
	raw, err := json.Marshal(proof)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(pin.Write(filepath.Join(dir, "trust.json")), os.WriteFile(filepath.Join(dir, "membership.json"), raw, 0o600)); err != nil {
		t.Fatal(err)
	}
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
