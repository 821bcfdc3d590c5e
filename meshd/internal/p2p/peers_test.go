package p2p

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
)

// another makes a further connection beside those of libp2p's own, which keeps to one.
func another(t *testing.T, from *place, to peer.AddrInfo) transport.CapableConn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := from.Network().(*swarm.Swarm).TransportForDialing(to.Addrs[0]).Dial(ctx, to.Addrs[0], to.ID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestStandingChanges(t *testing.T) {
	for _, c := range []struct{ before, after string }{{"guest", "member"}, {"member", "guest"}} {
		m, key := open(t, Config{Proof: []byte("member")}), newKey(t)
		first := open(t, Config{Key: key, Proof: []byte(c.before), Judge: everybody})
		if err := first.Connect(t.Context(), at(m, ma.P_QUIC_V1)); err != nil {
			t.Fatal(err)
		}
		until(t, "it is known", func() bool { return m.Standing(first.ID()).String() == c.before })
		old := m.Network().ConnsToPeer(first.ID())[0]
		second := open(t, Config{Key: key, Proof: []byte(c.after), Judge: everybody})
		if err := second.Connect(t.Context(), at(m, ma.P_TCP)); err != nil {
			t.Fatal(err)
		}
		until(t, "it has its new standing, and the old connection is closed", func() bool {
			return m.Standing(first.ID()).String() == c.after && old.IsClosed()
		})
		if conns := m.Network().ConnsToPeer(first.ID()); len(conns) != 1 || conns[0].IsClosed() {
			t.Errorf("from %s to %s: the connections are %v", c.before, c.after, conns)
		}
	}
}

// laws is a judge that changes its mind.
type laws struct {
	revoked sync.Map // of proofs
	during  func(p peer.ID, proof []byte)
}

func (l *laws) judge(p peer.ID, proof []byte) Standing {
	_, gone := l.revoked.Load(string(proof))
	if l.during != nil {
		l.during(p, proof)
	}
	if gone {
		return Stranger
	}
	return byProof(p, proof)
}

func TestRecheck(t *testing.T) {
	law := &laws{}
	m := open(t, Config{Judge: law.judge, Proof: []byte("member")})
	var peers []*place
	for _, proof := range []string{"member 1", "member 2", "guest 3"} {
		for _, code := range []int{ma.P_QUIC_V1, ma.P_TCP} {
			p := open(t, Config{Proof: []byte(proof), Judge: everybody})
			if err := p.Connect(t.Context(), at(m, code)); err != nil {
				t.Fatal(err)
			}
			peers = append(peers, p)
		}
	}
	until(t, "all are there", func() bool { return len(m.Network().Conns()) == 6 })
	m.Recheck()
	if n := len(m.Network().Conns()); n != 6 {
		t.Fatalf("%d connections are left, and nothing has changed", n)
	}
	law.revoked.Store("member 2", nil)
	law.revoked.Store("guest 3", nil)
	m.Recheck()
	for i, p := range peers {
		if in := len(m.Network().ConnsToPeer(p.ID())) > 0; in != (i < 2) {
			t.Errorf("peer %d is connected: %t", i, in)
		}
	}
	m.Expel(peers[0].ID())
	if n := len(m.Network().Conns()); n != 1 {
		t.Errorf("%d connections are left; want one", n)
	}
}

// TestRecheckDuringHandshake revokes a peer, and rechecks, while its connection is
// being made: the verdict is older, the connection not in any list.
func TestRecheckDuringHandshake(t *testing.T) {
	for _, code := range []int{ma.P_QUIC_V1, ma.P_TCP} {
		law, once := &laws{}, sync.Once{}
		m := open(t, Config{Judge: law.judge, Proof: []byte("member")})
		law.during = func(_ peer.ID, proof []byte) {
			once.Do(func() {
				law.revoked.Store(string(proof), nil)
				m.Recheck()
			})
		}
		p := open(t, Config{Proof: []byte("member 1")})
		_ = p.Connect(t.Context(), at(m, code)) // it may hear of its end at once
		until(t, "it was there", func() bool { return m.saw(p.ID()) == 1 })
		until(t, "it is closed", func() bool { return len(m.Network().Conns()) == 0 && m.Standing(p.ID()) == Stranger })
		if m.echoes.Load() != 0 {
			t.Error("it was served")
		}
	}
}

func TestInstances(t *testing.T) {
	m, key := open(t, Config{Proof: []byte("member")}), newKey(t)
	node := open(t, Config{Key: key, Proof: []byte("member")})
	another(t, node, at(m, ma.P_QUIC_V1))
	another(t, node, at(m, ma.P_TCP))
	until(t, "both connections are there", func() bool { return len(m.Network().ConnsToPeer(node.ID())) == 2 })
	got := m.Instances(node.ID())
	if len(got) != 1 || len(got[0].Conns) != 2 || got[0].ID == (InstanceID{}) {
		t.Fatalf("one node by two ways: %v", got)
	}
	clone := open(t, Config{Key: key, Proof: []byte("member")})
	c := another(t, clone, at(m, ma.P_QUIC_V1))
	until(t, "its clone is there", func() bool { return len(m.Network().ConnsToPeer(node.ID())) == 3 })
	both := m.Instances(node.ID())
	if len(both) != 2 || both[0].ID == both[1].ID {
		t.Fatalf("a node and its clone: %v", both)
	}
	i := slices.IndexFunc(both, func(i Instance) bool { return i.ID != got[0].ID })
	if port := strings.Split(c.LocalMultiaddr().String(), "/")[4]; !strings.Contains(both[i].Conns[0].RemoteMultiaddr().String(), "/"+port+"/") {
		t.Errorf("the clone is at %v, not at port %s", both[i].Conns[0].RemoteMultiaddr(), port)
	}
	m.Expel(node.ID())
	if got := m.Instances(node.ID()); len(got) != 0 {
		t.Errorf("after its end: %v", got)
	}
}

// TestOwnKey has somebody else come with this node's key.
func TestOwnKey(t *testing.T) {
	key := newKey(t)
	m, clone := open(t, Config{Key: key, Proof: []byte("member")}), open(t, Config{Key: key, Proof: []byte("member")})
	for _, code := range []int{ma.P_QUIC_V1, ma.P_TCP} {
		to := at(m, code)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if c, err := clone.Network().(*swarm.Swarm).TransportForDialing(to.Addrs[0]).Dial(ctx, to.Addrs[0], to.ID); err == nil {
			_ = c.Close()
			t.Error("a node takes its own key for a member's")
		}
		cancel()
	}
	if n := m.saw(m.ID()); n != 0 {
		t.Errorf("it got in %d times", n)
	}
}

func TestKnocks(t *testing.T) {
	type knock struct {
		p     peer.ID
		addr  string
		proof []byte
	}
	var mu sync.Mutex
	var got []knock
	var told atomic.Int64
	m := open(t, Config{Proof: []byte("member"), Knock: func(p peer.ID, addr string, proof []byte) {
		told.Add(1)
		mu.Lock()
		defer mu.Unlock()
		got = append(got, knock{p, addr, bytes.Clone(proof)})
	}})
	s := open(t, Config{Proof: []byte("let me in"), Judge: everybody})
	for n, code := range []int{ma.P_QUIC_V1, ma.P_TCP} {
		_ = s.Connect(t.Context(), at(m, code)) // it may hear of its end at once
		until(t, "the knock is heard", func() bool { return told.Load() == int64(n)+1 })
		until(t, "the connection is closed", func() bool { return s.Network().Connectedness(m.ID()) == network.NotConnected })
		mu.Lock()
		k := got[n]
		mu.Unlock()
		if k.p != s.ID() || string(k.proof) != "let me in" || !strings.HasPrefix(k.addr, "/ip4/127.0.0.1/") {
			t.Errorf("the knock is %v", k)
		}
	}
	empty := open(t, Config{Judge: everybody})
	_ = empty.Connect(t.Context(), at(m, ma.P_QUIC_V1))
	until(t, "an empty proof is heard, too", func() bool { return told.Load() == 3 })
	if err := m.Connect(t.Context(), at(s, ma.P_TCP)); err == nil {
		t.Error("a stranger is dialled with success")
	}
	if told.Load() != 3 {
		t.Error("who was dialled is taken for one who knocks")
	}
}

// TestFloodOfKnocks knocks without end, from one address and from many.
func TestFloodOfKnocks(t *testing.T) {
	told := 0
	knock := Config{Knock: func(peer.ID, string, []byte) { told++ }}.knocker()
	start := time.Now()
	for range 1000 {
		knock("p", ma.StringCast("/ip4/192.0.2.1/tcp/1"), nil)
	}
	if most := 4 + int(time.Since(start).Seconds()); told > most {
		t.Errorf("one address is passed on %d times", told)
	}
	for i := range 1000 {
		knock("p", ma.StringCast("/ip4/198.51.100."+string(rune('0'+i%10))+"/tcp/1"), nil)
	}
	if most := 32 + 8*(1+int(time.Since(start).Seconds())); told > most {
		t.Errorf("%d are passed on", told)
	}
}
