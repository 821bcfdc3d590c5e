package gossip

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const topic = "/test/1"

// talker gossips in a test: a message says by its first word what to do with it.
type talker struct {
	*Gossip
	host host.Host

	mu        sync.Mutex
	judged    map[string]peer.ID // message to author
	delivered map[string]peer.ID
}

func verdictOf(data []byte) Verdict {
	switch string(data[:min(3, len(data))]) {
	case "bad":
		return Reject
	case "old":
		return Ignore
	}
	return Accept
}

func newTalker(t *testing.T, realm api.RealmID) *talker {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	h, err := p2p.New(p2p.Config{Key: key, Realm: realm, Version: "test", Judge: allMembers})
	if err != nil {
		t.Fatal(err)
	}
	k := &talker{host: h, judged: map[string]peer.ID{}, delivered: map[string]peer.ID{}}
	ctx, cancel := context.WithCancel(context.Background())
	k.Gossip, err = Join(ctx, h, Config{Realm: realm, Log: slog.New(slog.DiscardHandler), Count: func(string, Verdict) {},
		Topics: []Topic{{Name: topic, Check: k.check, Deliver: k.deliver}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Network().Listen(ma.StringCast("/ip4/127.0.0.1/udp/0/quic-v1")); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- k.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, h.Close()); err != nil {
			t.Error(err)
		}
	})
	return k
}

func (k *talker) check(author peer.ID, data []byte) (Verdict, any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.judged[string(data)] = author
	return verdictOf(data), string(data)
}

func (k *talker) deliver(_ context.Context, author peer.ID, checked any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.delivered[checked.(string)] = author
}

func (k *talker) has(in map[string]peer.ID, what string) (peer.ID, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, ok := in[what]
	return p, ok
}

// knows reports whether k has subscribers to send to.
func (k *talker) knows(p peer.ID) bool {
	for _, q := range k.topics[topic].ListPeers() {
		if p == q {
			return true
		}
	}
	return false
}

func connect(t *testing.T, a, b *talker) {
	t.Helper()
	if err := a.host.Connect(t.Context(), peer.AddrInfo{ID: b.host.ID(), Addrs: b.host.Addrs()}); err != nil {
		t.Fatal(err)
	}
	until(t, "both know each other", func() bool { return a.knows(b.host.ID()) && b.knows(a.host.ID()) })
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for start := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("never: %s", what)
		}
	}
}

func (k *talker) say(t *testing.T, what string) {
	t.Helper()
	if err := k.Publish(t.Context(), topic, []byte(what)); err != nil {
		t.Fatal(err)
	}
}

// line is three talkers of whom the outer ones are not connected.
func line(t *testing.T) (a, b, c *talker) {
	realm := api.NewRealmID(make(ed25519.PublicKey, 32))
	a, b, c = newTalker(t, realm), newTalker(t, realm), newTalker(t, realm)
	connect(t, a, b)
	connect(t, b, c)
	return a, b, c
}

// settle repeats a message until c has it: b passes on what comes once a heartbeat
// has made c a part of its mesh.
func settle(t *testing.T, a, c *talker) {
	t.Helper()
	last := ""
	until(t, "b passes messages on to c", func() bool {
		last += "."
		a.say(t, last)
		time.Sleep(20 * time.Millisecond)
		_, ok := c.has(c.delivered, last)
		return ok
	})
}

func TestOnlyAcceptedMessagesArePassedOn(t *testing.T) {
	a, b, c := line(t)
	settle(t, a, c)
	a.say(t, "old news")
	a.say(t, "bad news")
	until(t, "b has judged both", func() bool {
		_, old := b.has(b.judged, "old news")
		_, bad := b.has(b.judged, "bad news")
		return old && bad
	})
	a.say(t, "good news") // sent after the others, and so passed on after them
	until(t, "c has the good one", func() bool { _, ok := c.has(c.delivered, "good news"); return ok })
	for _, k := range []*talker{b, c} {
		if author, _ := k.has(k.delivered, "good news"); author != a.host.ID() {
			t.Errorf("the author is taken for %s", author)
		}
	}
	for _, what := range []string{"old news", "bad news"} {
		if _, ok := c.has(c.judged, what); ok {
			t.Errorf("%q was passed on", what)
		}
		if _, ok := b.has(b.delivered, what); ok {
			t.Errorf("%q was delivered", what)
		}
	}
	if _, ok := a.has(a.delivered, "good news"); ok {
		t.Error("a hears itself")
	}
}

func TestLiarIsIgnored(t *testing.T) {
	a, b, _ := line(t)
	for i := range 6 {
		what := fmt.Sprintf("bad %d", i)
		a.say(t, what)
		if i < 4 {
			until(t, what, func() bool { _, ok := b.has(b.judged, what); return ok })
		}
	}
	a.say(t, "good news at last")
	time.Sleep(300 * time.Millisecond) // nothing tells of what is dropped unread
	if _, ok := b.has(b.judged, "good news at last"); ok {
		t.Error("who has sent many bad messages is still heard")
	}
}

func TestSizeIsCapped(t *testing.T) {
	a, b, _ := line(t)
	if err := a.Publish(t.Context(), topic, make([]byte, api.MaxMessage+1)); !errors.Is(err, api.ErrTooLarge) {
		t.Errorf("Publish of too much = %v", err)
	}
	largest := make([]byte, api.MaxMessage)
	a.say(t, string(largest))
	until(t, "the largest message arrives", func() bool { _, ok := b.has(b.delivered, string(largest)); return ok })
}

func TestRealmsDoNotMix(t *testing.T) {
	one := make(ed25519.PublicKey, 32)
	other := make(ed25519.PublicKey, 32)
	other[0] = 1
	a, b := newTalker(t, api.NewRealmID(one)), newTalker(t, api.NewRealmID(other))
	c := newTalker(t, api.NewRealmID(one))
	if err := a.host.Connect(t.Context(), peer.AddrInfo{ID: b.host.ID(), Addrs: b.host.Addrs()}); err != nil {
		t.Fatal(err)
	}
	connect(t, a, c)
	a.say(t, "hello")
	until(t, "a member hears it", func() bool { _, ok := c.has(c.delivered, "hello"); return ok })
	if a.knows(b.host.ID()) || b.knows(a.host.ID()) {
		t.Error("two realms gossip with each other")
	}
}

// allMembers lets everybody in: this package is not about who may enter.
func allMembers(peer.ID, []byte) p2p.Standing { return p2p.Member }
