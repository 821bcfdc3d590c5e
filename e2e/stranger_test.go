//go:build unix

package e2e_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/e2e/internal/node"
	"github.com/realm-mesh/realm/e2e/internal/stranger"
	"github.com/realm-mesh/realm/internal/kit/hosttest"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// doorTries is how often a stranger connects: often enough for a race to show.
const doorTries = 5

// newStranger makes a stranger that knows the realm of n.
func newStranger(t *testing.T, n *node.Node, listen []string, opts ...libp2p.Option) *stranger.Stranger {
	t.Helper()
	s, err := stranger.New(realmOf(t, n), listen, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func realmOf(t *testing.T, n *node.Node) api.RealmID {
	t.Helper()
	var who node.Whoami
	if err := n.JSON(testContext(t), &who, "whoami"); err != nil {
		t.Fatal(err)
	}
	return api.RealmID(who.Realm)
}

// tcpAddr is where n is reached over TCP, given where it is over QUIC.
func tcpAddr(addr string) string {
	return strings.Replace(strings.Replace(addr, "/udp/", "/tcp/", 1), "/quic-v1", "", 1)
}

func addrOf(t *testing.T, n *node.Node) string {
	t.Helper()
	addr, err := n.Addr(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// TestStranger lets a libp2p host without a membership try every door of a mesh at
// work, over each transport and each handshake that stock libp2p has.
func TestStranger(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 2)
	do(t, nodes[0], "fn", "deploy", "--wasm", sample("double"), "--name", "double")
	addr := addrOf(t, nodes[0])
	const overQUIC, overTCP = "/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"
	onlyTCP := libp2p.Transport(tcp.NewTCPTransport)
	for name, c := range map[string]struct {
		addr, listen string
		opts         []libp2p.Option
	}{
		"quic":        {addr, overQUIC, []libp2p.Option{libp2p.Transport(quic.NewTransport)}},
		"tcp, tls":    {tcpAddr(addr), overTCP, []libp2p.Option{onlyTCP, libp2p.Security(libp2ptls.ID, libp2ptls.New)}},
		"tcp, noise":  {tcpAddr(addr), overTCP, []libp2p.Option{onlyTCP, libp2p.Security(noise.ID, noise.New)}},
		"tcp, ours":   {tcpAddr(addr), overTCP, []libp2p.Option{onlyTCP, libp2p.Security("/realm/tls/1", libp2ptls.New)}},
		"tcp, plain":  {tcpAddr(addr), overTCP, []libp2p.Option{onlyTCP, libp2p.NoSecurity}},
		"as it comes": {addr, overQUIC, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStranger(t, nodes[0], []string{c.listen}, c.opts...)
			open, err := s.TryDoors(testContext(t), c.addr, doorTries)
			if err != nil {
				t.Fatal(err)
			}
			if len(open) > 0 {
				t.Errorf("these doors were open: %v", open)
			}
		})
	}
	unhurt(t, nodes[0])
	for _, n := range nodes {
		waitPeers(t, n, 1)
	}
}

// TestMemberOfAnotherRealm wants two realms on one machine, one of which knows the
// other's address, to stay apart.
func TestMemberOfAnotherRealm(t *testing.T) {
	t.Parallel()
	ours := startNode(t, "--mdns=false")
	theirs := newNode(t, "another realm's", "")
	do(t, theirs, "init")
	start(t, theirs, "--mdns=false", "--bootstrap", addrOf(t, ours))
	do(t, theirs, "fn", "deploy", "--wasm", sample("double"), "--name", "theirs")
	time.Sleep(5 * time.Second) // several tries to connect
	for _, n := range []*node.Node{ours, theirs} {
		if p, err := n.Peers(testContext(t)); err != nil || p.Connected() != 0 || p.Live() != 0 {
			t.Errorf("%s knows %+v, %v", n.Name, p, err)
		}
	}
	refuse(t, ours, nil, "fn", "exec", "theirs", "21")
}

// TestStrangerAnswersMDNS has a stranger answer the questions of nodes that look
// for members on the local network.
func TestStrangerAnswersMDNS(t *testing.T) {
	hosttest.Need(t, hosttest.Multicast)
	n := startNode(t)
	// On all addresses: mDNS names none of loopback.
	s := newStranger(t, n, []string{"/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/0.0.0.0/tcp/0"})
	stop, err := s.Announce()
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(6 * time.Second) // announced, found and dialled
	if err := stop(); err != nil {
		t.Error(err)
	}
	if open, err := s.TryDoors(testContext(t), addrOf(t, n), 1); err != nil || len(open) > 0 {
		t.Errorf("open doors: %v, %v", open, err)
	}
	if p, err := n.Peers(testContext(t)); err != nil || len(p.Peers) != 1 {
		t.Errorf("the node knows %+v, %v", p, err)
	}
	do(t, n, "fn", "deploy", "--wasm", sample("double"), "--name", "double")
	unhurt(t, n)
}

// strangers is how many connections are held open against a node.
const strangers = 1000

// TestConnectionFloods holds connections open against a node that say nothing, or
// something slowly, or rubbish. Members go on to reach it, and new ones get in.
func TestConnectionFloods(t *testing.T) {
	for name, first := range map[string][]byte{
		"silence":         {0},
		"a slow greeting": []byte("\x13/multistream/1.0.0"),
		"rubbish":         []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			nodes := startMesh(t, 2)
			do(t, nodes[0], "fn", "deploy", "--wasm", sample("double"), "--name", "double")
			port := strings.Split(addrOf(t, nodes[0]), "/")[4]
			ctx, cancel := context.WithCancel(testContext(t))
			flooded := make(chan int, 1)
			go func() { flooded <- stranger.Flood(ctx, "127.0.0.1:"+port, strangers, first) }()
			time.Sleep(2 * time.Second)
			for range 20 {
				if got := strings.TrimSpace(do(t, nodes[1], "fn", "exec", "double", "21")); got != "42" {
					t.Errorf("double 21 = %s under load", got)
				}
			}
			do(t, nodes[1], "fn", "deploy", "--wasm", sample("double"), "--name", "pushed-meanwhile")
			third := newNode(t, "node 3", nodes[0].OwnerKey)
			start(t, third, "--mdns=false", "--bootstrap", addrOf(t, nodes[0]))
			waitPeers(t, third, 2)
			cancel()
			t.Logf("%d connections were made", <-flooded)
			unhurt(t, nodes[0])
		})
	}
}

// TestCopiedNodeKey brings up a second node with the key and the membership of the
// first, as a copied disk would. Both are shown as what they are.
func TestCopiedNodeKey(t *testing.T) {
	t.Parallel()
	nodes := startMesh(t, 2)
	twin := newNode(t, "twin", nodes[0].OwnerKey)
	copyFiles(t, nodes[1].Home, twin.Home, "keys/node.pem", "membership.json", "trust.json")
	if err := twin.StartOnly("--mdns=false", "--bootstrap", addrOf(t, nodes[0])); err != nil {
		t.Fatal(err)
	}
	key, err := keys.Read(nodes[1].Home + "/keys/node.pem")
	if err != nil {
		t.Fatal(err)
	}
	id := string(keys.Peer(key.Public().(ed25519.PublicKey)))
	until(t, "the conflict shown on node 1", func(ctx context.Context) error {
		p, err := nodes[0].Peers(ctx)
		if err != nil {
			return err
		}
		for _, m := range p.Peers {
			if m.Peer == id && len(m.Conflict) >= 2 {
				return nil
			}
		}
		return fmt.Errorf("no conflict in %+v", p)
	})
	if out := do(t, nodes[0], "peers"); !strings.Contains(out, "conflict") {
		t.Errorf("realm peers says\n%s", out)
	}
}
