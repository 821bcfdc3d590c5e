package gossip

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/meshd/internal/conduct"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const topic = "/test/1"

// talker gossips in a test: a message says by its first word what to do with it.
type talker struct {
	*Gossip
	host    *p2p.Host
	realm   *meshtest.Realm
	conduct *conduct.Book
	blocked chan peer.ID

	mu        sync.Mutex
	judged    map[string]peer.ID // message to author
	delivered map[string]peer.ID
	strangers map[peer.ID]bool
	missed    map[peer.ID]int
	counts    map[Verdict]int
}

func verdictOf(data []byte) Verdict {
	switch string(data[:min(3, len(data))]) {
	case "bad":
		return Reject
	case "old":
		return Ignore
	case "xxx":
		return Garbage
	case "aga":
		return Useless
	}
	return Accept
}

func newTalker(t *testing.T, r *meshtest.Realm) *talker {
	t.Helper()
	k := &talker{host: r.Host(t), realm: r, judged: map[string]peer.ID{}, delivered: map[string]peer.ID{}, strangers: map[peer.ID]bool{},
		missed: map[peer.ID]int{}, counts: map[Verdict]int{}, blocked: make(chan peer.ID, 16)}
	k.conduct = conduct.New(conduct.Config{Changed: func(peer.ID, string) {}, Log: meshtest.Log(), Block: func(p peer.ID) {
		_ = k.host.Network().ClosePeer(p) // what fails is closed already
		k.blocked <- p
	}})
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	k.Gossip, err = Join(ctx, k.host, Config{Realm: r.Pin.Realm, Log: p2p.Quiet(ctx, meshtest.Log()), Conduct: k.conduct,
		Member: k.member, Missed: k.miss, Count: k.count,
		Topics: []Topic{{Name: topic, Max: api.MaxMessage, PassedOn: conduct.IntentsPassedOn, Said: conduct.IntentsSaid, Check: k.check, Deliver: k.deliver}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := k.host.Network().Listen(ma.StringCast("/ip4/127.0.0.1/udp/0/quic-v1")); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- task.Run(ctx, k.Run, k.conduct.Run) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return k
}

func (k *talker) member(p peer.ID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.strangers[p]
}

func (k *talker) miss(from peer.ID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.missed[from]++
}

func (k *talker) count(_ string, v Verdict) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.counts[v]++
}

func (k *talker) check(m Message) (Verdict, any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.judged[string(m.Data)] = m.Author
	return verdictOf(m.Data), string(m.Data)
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
	r := meshtest.NewRealm(t)
	a, b, c = newTalker(t, r), newTalker(t, r), newTalker(t, r)
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
