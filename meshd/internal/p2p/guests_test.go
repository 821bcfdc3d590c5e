package p2p

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/multiformats/go-multistream"
)

const (
	enrol    protocol.ID = "/test/enrol/1"
	dhtProto protocol.ID = "/test/kad/1.0.0"
	role     protocol.ID = "/test/role/edge" // told by identify, tried by nobody
	topic                = "/test/topic"
)

// house is a place with everything that a node runs.
type house struct {
	*place
	dht    *dht.IpfsDHT
	gossip *pubsub.PubSub
	topic  *pubsub.Topic
	sub    *pubsub.Subscription
	failed event.Subscription // identify
}

func furnish(t *testing.T, c Config) *house {
	t.Helper()
	c.GuestProtocols = []protocol.ID{enrol}
	h := &house{place: open(t, c)}
	h.SetStreamHandler(enrol, func(s network.Stream) { _, _ = io.Copy(s, s); s.Close() })
	h.SetStreamHandler(role, func(s network.Stream) { _ = s.Reset() })
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	var err error
	if h.failed, err = h.EventBus().Subscribe(new(event.EvtPeerIdentificationFailed)); err != nil {
		t.Fatal(err)
	}
	if h.dht, err = dht.New(h, dht.Mode(dht.ModeServer), dht.ProtocolPrefix("/test"), dht.AddressFilter(nil), dht.DisableAutoRefresh()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(h.failed.Close(), h.dht.Close()); err != nil {
			t.Error(err)
		}
	})
	if h.gossip, err = pubsub.NewGossipSub(ctx, h, pubsub.WithFloodPublish(true)); err != nil {
		t.Fatal(err)
	}
	if h.topic, err = h.gossip.Join(topic); err != nil {
		t.Fatal(err)
	}
	if h.sub, err = h.topic.Subscribe(); err != nil {
		t.Fatal(err)
	}
	return h
}

// hears reports whether what from publishes reaches h within the given time.
func (h *house) hears(t *testing.T, from *house, within time.Duration) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	if err := from.topic.Publish(ctx, []byte("news from "+from.ID())); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := h.sub.Next(ctx)
		if err != nil {
			return false
		}
		if m.GetFrom() == from.ID() {
			return true
		}
	}
}

// TestGuestReachesItsProtocolOnly lets a guest try every door on every way. Its own
// node takes the other for a member and holds it back from nothing.
func TestGuestReachesItsProtocolOnly(t *testing.T) {
	for _, way := range []string{"QUIC", "TCP", "relay"} {
		t.Run(way, func(t *testing.T) {
			m := furnish(t, throughRelays(Config{Proof: []byte("member")}))
			g := furnish(t, Config{Proof: []byte("guest"), Judge: everybody})
			if err := g.Connect(anyConn(t.Context()), ways(t, m.Host)[way]); err != nil {
				t.Fatal(err)
			}
			if s := m.Standing(g.ID()); s != Guest {
				t.Fatalf("it is a %v", s)
			}
			if err := speaks(t.Context(), g, m.ID(), enrol); err != nil {
				t.Errorf("what is for guests: %v", err)
			}
			if err := speaks(t.Context(), m, g.ID(), enrol); err != nil {
				t.Errorf("what is for guests, towards one: %v", err)
			}
			for _, id := range []protocol.ID{echo, ping.ID, identify.ID, dhtProto, pubsub.GossipSubID_v12} {
				guestTries(t, g.place, m.place, id)
			}
			if n := m.echoes.Load() + g.echoes.Load(); n != 0 {
				t.Errorf("%d streams were served", n)
			}
			nothingWasTold(t, m, g)
			if m.hears(t, g, 300*time.Millisecond) || g.hears(t, m, 300*time.Millisecond) {
				t.Error("gossip goes from one to the other")
			}
			if n := len(m.topic.ListPeers()) + len(g.topic.ListPeers()); n != 0 {
				t.Errorf("gossip knows of %d peers", n)
			}
		})
	}
}

// guestTries opens streams both ways, with libp2p's help and without.
func guestTries(t *testing.T, g, m *place, id protocol.ID) {
	t.Helper()
	if err := speaks(t.Context(), g, m.ID(), id); err == nil {
		t.Errorf("the guest is served by %s", id)
	}
	if err := speaks(t.Context(), m, g.ID(), id); !errors.Is(err, ErrGuest) {
		t.Errorf("the member speaks %s to the guest: %v", id, err)
	}
	s, err := m.Network().NewStream(anyConn(t.Context()), g.ID())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetProtocol(id); !errors.Is(err, ErrGuest) {
		t.Errorf("a stream without help may speak %s to the guest: %v", id, err)
	}
	_ = s.Reset()
	if s, err = g.Network().NewStream(anyConn(t.Context()), m.ID()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Reset() }()
	if err := s.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if err := multistream.SelectProtoOrFail(id, s); err != nil {
		return
	}
	_, _ = io.WriteString(s, "hello") // it may be closed already
	if b, err := io.ReadAll(s); err == nil || len(b) > 0 {
		t.Errorf("a stream without help speaks %s: %q, %v", id, b, err)
	}
}

// nothingWasTold looks for traces of identify and the DHT.
func nothingWasTold(t *testing.T, m, g *house) {
	t.Helper()
	select {
	case ev := <-m.failed.Out():
		if ev := ev.(event.EvtPeerIdentificationFailed); ev.Peer == g.ID() && !errors.Is(ev.Reason, ErrGuest) {
			t.Errorf("identify fails for another reason: %v", ev.Reason)
		}
	case <-time.After(patience):
		t.Error("identify says nothing")
	}
	for _, h := range []struct{ knows, of *house }{{m, g}, {g, m}} {
		known, err := h.knows.Peerstore().SupportsProtocols(h.of.ID(), identify.IDPush, role)
		if err != nil || len(known) > 0 {
			t.Errorf("what identify would have told is known: %v, %v", known, err)
		}
		if agent, err := h.knows.Peerstore().Get(h.of.ID(), "AgentVersion"); err == nil {
			t.Errorf("the agent is known: %v", agent)
		}
		if h.knows.dht.RoutingTable().Find(h.of.ID()) != "" {
			t.Error("the DHT knows the other")
		}
	}
}

// TestSilentStream opens streams without a protocol.
func TestSilentStream(t *testing.T) {
	m := open(t, Config{Proof: []byte("member"), GuestProtocols: []protocol.ID{enrol}})
	g := open(t, Config{Proof: []byte("guest"), Judge: everybody})
	if err := g.Connect(t.Context(), at(m, ma.P_QUIC_V1)); err != nil {
		t.Fatal(err)
	}
	for _, first := range []string{"", "\x00", "GET / HTTP/1.1\r\n\r\n", "\x13/multistream/1.0.0\n\x03ls\n"} {
		s, err := g.Network().NewStream(t.Context(), m.ID())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(s, first); err != nil {
			t.Fatal(err)
		}
		if err := s.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		const greeting = "\x13/multistream/1.0.0\n\x03na\n"
		if b, _ := io.ReadAll(s); len(b) > len(greeting) || string(b) != greeting[:len(b)] {
			t.Errorf("%q is answered by %q", first, b)
		}
		_ = s.Reset()
	}
	if n := m.echoes.Load(); n != 0 {
		t.Errorf("%d streams were served", n)
	}
}

// TestGreedyGuest opens streams and leaves them open.
func TestGreedyGuest(t *testing.T) {
	m := open(t, Config{Proof: []byte("member"), GuestProtocols: []protocol.ID{enrol}})
	g := open(t, Config{Proof: []byte("guest"), Judge: everybody})
	m.SetStreamHandler(enrol, func(s network.Stream) { _, _ = io.Copy(s, s); s.Close() })
	for _, code := range []int{ma.P_QUIC_V1, ma.P_TCP} {
		if err := g.Connect(t.Context(), at(m, code)); err != nil {
			t.Fatal(err)
		}
		var open []network.Stream
		for range 10 * guestStreams {
			if s, err := g.Network().NewStream(t.Context(), m.ID()); err == nil {
				if _, err := s.Write([]byte{0x13}); err == nil { // a first byte opens it for the other side
					open = append(open, s)
				}
			}
		}
		until(t, "as many are open as may be", func() bool { return len(m.Network().ConnsToPeer(g.ID())[0].GetStreams()) == guestStreams })
		if err := speaks(t.Context(), g, m.ID(), enrol); err == nil {
			t.Error("it has one stream more")
		}
		for _, s := range open {
			_ = s.Reset()
		}
		until(t, "it is served again", func() bool { return speaks(t.Context(), g, m.ID(), enrol) == nil })
		if err := g.Network().ClosePeer(m.ID()); err != nil {
			t.Error(err)
		}
	}
}

// TestMemberReachesAll is the counterpart: what guests are refused works at all.
func TestMemberReachesAll(t *testing.T) {
	a, b := furnish(t, Config{Proof: []byte("member")}), furnish(t, Config{Proof: []byte("member")})
	if err := a.Connect(t.Context(), at(b, ma.P_TCP)); err != nil {
		t.Fatal(err)
	}
	if err := reaches(t.Context(), a, b.ID()); err != nil {
		t.Error(err)
	}
	if r := <-ping.Ping(t.Context(), a, b.ID()); r.Error != nil {
		t.Error(r.Error)
	}
	until(t, "the DHT and gossip know both", func() bool {
		return a.dht.RoutingTable().Find(b.ID()) != "" && b.dht.RoutingTable().Find(a.ID()) != "" && len(a.topic.ListPeers()) == 1 && len(b.topic.ListPeers()) == 1
	})
	until(t, "identify has told what it speaks", func() bool {
		known, err := a.Peerstore().SupportsProtocols(b.ID(), identify.IDPush, role)
		return err == nil && len(known) == 2
	})
	if !a.hears(t, b, patience) || !b.hears(t, a, patience) {
		t.Error("gossip does not pass")
	}
}

// TestGuestLeavesByItself waits for the end of a guest's time.
func TestGuestLeavesByItself(t *testing.T) {
	t.Parallel()
	m := open(t, Config{Proof: []byte("member"), GuestProtocols: []protocol.ID{enrol}})
	g := open(t, Config{Proof: []byte("guest"), Judge: everybody})
	m.SetStreamHandler(enrol, func(s network.Stream) { _, _ = io.Copy(s, s) })
	start := time.Now()
	if err := g.Connect(t.Context(), at(m, ma.P_QUIC_V1)); err != nil {
		t.Fatal(err)
	}
	s, err := g.NewStream(t.Context(), m.ID(), enrol)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetDeadline(start.Add(guestFor + patience)); err != nil {
		t.Fatal(err)
	}
	_, _ = s.Read(make([]byte, 1))
	if d := time.Since(start); d < guestFor-time.Second || d > guestFor+patience/2 {
		t.Errorf("it was there for %v; want %v", d, guestFor)
	}
	until(t, "it is gone", func() bool { return m.Standing(g.ID()) == Stranger && len(m.Network().Conns()) == 0 })
}

// TestManyGuests has more of them come than there is room for.
func TestManyGuests(t *testing.T) {
	m := open(t, Config{Proof: []byte("member"), GuestProtocols: []protocol.ID{enrol}})
	m.SetStreamHandler(enrol, func(s network.Stream) { _, _ = io.Copy(s, s); s.Close() })
	in := 0
	for range maxGuests + 4 {
		g := open(t, Config{Proof: []byte("guest"), Judge: everybody})
		// Who is refused may hear of it only when it speaks.
		if g.Connect(t.Context(), at(m, ma.P_TCP)) == nil && speaks(t.Context(), g, m.ID(), enrol) == nil {
			in++
		}
	}
	if in != maxGuests || len(m.Network().Conns()) != maxGuests {
		t.Errorf("%d guests got in, %d are connected; want %d", in, len(m.Network().Conns()), maxGuests)
	}
	member := open(t, Config{Proof: []byte("member")})
	if err := member.Connect(t.Context(), at(m, ma.P_TCP)); err != nil {
		t.Errorf("a member finds no room: %v", err)
	}
	guests := slices.DeleteFunc(m.Network().Conns(), func(c network.Conn) bool { return c.RemotePeer() == member.ID() })
	_ = guests[0].Close()
	until(t, "there is room for one more", func() bool {
		g := open(t, Config{Proof: []byte("guest"), Judge: everybody})
		return g.Connect(t.Context(), at(m, ma.P_TCP)) == nil && m.Standing(g.ID()) == Guest
	})
}

// TestGuestsByAddress counts what one address may do; loopback is no address.
func TestGuestsByAddress(t *testing.T) {
	rules := newGuestRules(nil)
	count := func(addr string, n int) (in int) {
		for range n {
			if rules.allow(ma.StringCast(addr)) {
				in++
			}
		}
		return in
	}
	if n := count("/ip4/192.0.2.1/tcp/1", 100); n < 6 || n > 8 {
		t.Errorf("one address: %d at once; want 6", n)
	}
	if n := count("/ip6/2001:db8::1/udp/1/quic-v1", 5) + count("/ip6/2001:db8:0:ff:1::2/tcp/1/p2p/12D3KooWBPbrbCHYpCxcxWZ79GVp3GWLnQFR75BYmHiM1T8shm44/p2p-circuit", 100); n < 6 || n > 8 {
		t.Errorf("one /56: %d at once; want 6", n)
	}
	if n := count("/ip4/192.0.2.2/tcp/1", 5) + count("/ip4/127.0.0.1/tcp/1", 10); n < 15 {
		t.Errorf("two other addresses: %d of 15", n)
	}
}
