package neighbours

import (
	"context"
	"crypto/ed25519"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const member = "/test/member/1"

// newHost makes a host that listens, a member or not.
func newHost(t *testing.T, isMember bool) *p2p.Host {
	t.Helper()
	return newHostOf(t, meshtest.Key(t), isMember)
}

func newHostOf(t *testing.T, key ed25519.PrivateKey, isMember bool) *p2p.Host {
	t.Helper()
	h, err := p2p.New(p2p.Config{Key: key, Version: "test", Judge: allMembers})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	if isMember {
		h.SetStreamHandler(member, func(s network.Stream) { _ = s.Reset() })
	}
	meshtest.Listen(t, h)
	return h
}

// diary is what a watch has told.
type diary struct {
	*Watch
	host *p2p.Host

	lock      sync.Mutex
	events    []string
	conflicts map[peer.ID][]string
}

func (d *diary) note(what string) {
	d.lock.Lock()
	defer d.lock.Unlock()
	d.events = append(d.events, what)
}

func (d *diary) count(what string) (n int) {
	d.lock.Lock()
	defer d.lock.Unlock()
	for _, e := range d.events {
		if e == what {
			n++
		}
	}
	return n
}

func watch(t *testing.T) *diary {
	t.Helper()
	return watchFrom(t, newHost(t, true))
}

func watchFrom(t *testing.T, h *p2p.Host) *diary {
	t.Helper()
	d := &diary{host: h, conflicts: map[peer.ID][]string{}}
	d.Watch = New(Config{Host: d.host, Member: member, Log: slog.New(slog.DiscardHandler),
		Up:   func(peer.ID) { d.note("up") },
		Down: func(peer.ID) { d.note("down") },
		RTT:  func(_ peer.ID, rtt time.Duration) { d.note("rtt") },
		Conflict: func(p peer.ID, addrs []string) {
			d.lock.Lock()
			defer d.lock.Unlock()
			d.conflicts[p] = addrs
		},
	})
	sub, err := d.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx, sub) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *diary) connect(t *testing.T, to host.Host, addrs ...ma.Multiaddr) {
	t.Helper()
	if err := d.host.Connect(t.Context(), peer.AddrInfo{ID: to.ID(), Addrs: addrs}); err != nil {
		t.Fatal(err)
	}
}

func until(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for start := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(start) > limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

func TestMemberComesAndGoes(t *testing.T) {
	d, m := watch(t), newHost(t, true)
	d.connect(t, m, m.Addrs()...)
	until(t, 5*time.Second, "it is up, and answers", func() bool { return d.count("up") > 0 && d.count("rtt") > 0 })
	if !slices.Equal(d.Members(), []peer.ID{m.ID()}) || d.Count() != 1 || !d.IsMember(m.ID()) || d.IsStranger(m.ID()) {
		t.Errorf("members are %v", d.Members())
	}
	if err := m.Network().ClosePeer(d.host.ID()); err != nil {
		t.Fatal(err)
	}
	until(t, 5*time.Second, "it is down", func() bool { return d.count("down") == 1 })
	if d.Count() != 0 {
		t.Errorf("members are %v", d.Members())
	}
}

func TestStrangerIsRefused(t *testing.T) {
	d, s := watch(t), newHost(t, false)
	d.connect(t, s, s.Addrs()...)
	until(t, 5*time.Second, "it is cut off", func() bool { return d.IsStranger(s.ID()) && len(d.host.Network().ConnsToPeer(s.ID())) == 0 })
	if d.count("up")+d.count("down") != 0 {
		t.Errorf("it was told: %v", d.events)
	}
	// It has become a member, and comes by itself.
	s.SetStreamHandler(member, func(s network.Stream) { _ = s.Reset() })
	until(t, 5*time.Second, "it is a member", func() bool {
		_ = s.Connect(t.Context(), peer.AddrInfo{ID: d.host.ID(), Addrs: d.host.Addrs()})
		return d.IsMember(s.ID()) && !d.IsStranger(s.ID())
	})
}

// TestLeaverIsNoStranger has a member take its protocol away, as one that stops may.
func TestLeaverIsNoStranger(t *testing.T) {
	d, m := watch(t), newHost(t, true)
	d.connect(t, m, m.Addrs()...)
	until(t, 5*time.Second, "it is up", func() bool { return d.IsMember(m.ID()) })
	m.RemoveStreamHandler(member)
	until(t, 5*time.Second, "identify has told", func() bool {
		known, err := d.host.Peerstore().SupportsProtocols(m.ID(), member)
		return err == nil && len(known) == 0
	})
	m.SetStreamHandler(member, func(s network.Stream) { _ = s.Reset() }) // told after the first event was handled
	until(t, 5*time.Second, "identify has told again", func() bool { return d.count("up") > 1 })
	if d.IsStranger(m.ID()) || !d.IsMember(m.ID()) {
		t.Error("who leaves is taken for a stranger")
	}
}

// TestSilentMember answers no pings, though its connection is there.
func TestSilentMember(t *testing.T) {
	d, m := watch(t), newHost(t, true)
	m.SetStreamHandler(ping.ID, func(s network.Stream) { _, _ = io.Copy(io.Discard, s) })
	start := time.Now()
	d.connect(t, m, m.Addrs()...)
	until(t, 5*time.Second, "it is up", func() bool { return d.count("up") > 0 })
	until(t, Interval+Timeout+5*time.Second, "it is taken for dead", func() bool { return d.count("down") == 1 })
	t.Logf("taken for dead after %v", time.Since(start))
}

// allMembers lets everybody in: this package is not about who may enter.
func allMembers(peer.ID, []byte) p2p.Standing { return p2p.Member }
