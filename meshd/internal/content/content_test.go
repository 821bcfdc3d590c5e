package content

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var blob = api.Sum([]byte("a program"))

// holder is a node that may have blobs.
type holder struct {
	*Index
	host host.Host
	dht  *dht.IpfsDHT
	id   api.PeerID

	lock sync.Mutex
	near map[api.PeerID]time.Duration
}

func newHolder(t *testing.T) *holder {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	realm := api.NewRealmID(make(ed25519.PublicKey, 32))
	h := &holder{near: map[api.PeerID]time.Duration{}}
	if h.host, err = p2p.New(p2p.Config{Key: key, Realm: realm, Version: "test", Judge: allMembers}); err != nil {
		t.Fatal(err)
	}
	if h.dht, err = NewDHT(h.host, realm); err != nil {
		t.Fatal(err)
	}
	if h.id, err = p2p.ID(h.host.ID()); err != nil {
		t.Fatal(err)
	}
	h.Index = New(Config{Self: h.id, Routing: h.dht, Records: h.dht.ProviderStore().GetProviders, MaxMesh: 32, Log: slog.New(slog.DiscardHandler),
		Neighbours: func() map[api.PeerID]time.Duration {
			h.lock.Lock()
			defer h.lock.Unlock()
			return maps.Clone(h.near)
		}})
	if err := h.host.Network().Listen(ma.StringCast("/ip4/127.0.0.1/udp/0/quic-v1")); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, h.dht.Close(), h.host.Close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *holder) meet(t *testing.T, others ...*holder) {
	t.Helper()
	for _, o := range others {
		if err := h.host.Connect(t.Context(), peer.AddrInfo{ID: o.host.ID(), Addrs: o.host.Addrs()}); err != nil {
			t.Fatal(err)
		}
		until(t, "both are in each other's routing table", func() bool {
			return h.dht.RoutingTable().Find(o.host.ID()) != "" && o.dht.RoutingTable().Find(h.host.ID()) != ""
		})
		h.nears(o, time.Millisecond)
		o.nears(h, time.Millisecond)
		h.Up()
		o.Up()
	}
}

func (h *holder) nears(o *holder, rtt time.Duration) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.near[o.id] = rtt
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for start := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(start) > 10*time.Second {
			t.Fatalf("never: %s", what)
		}
	}
}

func (h *holder) providers(t *testing.T) []api.PeerID {
	t.Helper()
	got, err := h.Providers(t.Context(), blob)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAnnouncementReachesOthers(t *testing.T) {
	a, b, c := newHolder(t), newHolder(t), newHolder(t)
	a.Announce([]api.Digest{blob, api.Sum([]byte("another"))}) // nobody is there to hear it yet
	a.meet(t, b)
	k, err := key(blob)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "b was told", func() bool { return len(b.likely(t.Context(), blob, k)) == 1 })

	// c knows b alone and was told nothing: the DHT says that it is a.
	c.meet(t, b)
	if got := c.providers(t); len(got) != 2 || got[1] != a.id {
		t.Errorf("c is told of %v; want b, which is near, and a, which has it", got)
	}
	if got := a.providers(t); !slices.Equal(got, []api.PeerID{b.id}) {
		t.Errorf("a is told of %v; want its neighbour, never itself", got)
	}
}

// Where somebody is known to have a blob nobody waits for the DHT; whom it names is
// known the next time.
func TestOthersAreFoundForTheNextTime(t *testing.T) {
	a, b, c := newHolder(t), newHolder(t), newHolder(t)
	a.meet(t, b)
	a.Announce([]api.Digest{blob})
	k, err := key(blob)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "b was told", func() bool { return len(b.likely(t.Context(), blob, k)) == 1 })
	c.meet(t, b)
	c.Hint(blob, b.id)
	if got := c.providers(t); !slices.Equal(got, []api.PeerID{b.id}) {
		t.Errorf("at first: %v; want b, who is known to have it", got)
	}
	until(t, "the DHT has named a, too", func() bool { return slices.Equal(c.providers(t), []api.PeerID{b.id, a.id}) })
}

func TestOrder(t *testing.T) {
	x := newHolder(t)
	ids := map[string]api.PeerID{}
	var others []*holder
	for _, n := range []string{"near", "middle", "far", "new", "hinted", "away"} {
		o := newHolder(t)
		ids[n], others = o.id, append(others, o)
	}
	for i, rtt := range []time.Duration{time.Millisecond, 2 * time.Millisecond, 3 * time.Millisecond, 0, time.Second} {
		x.nears(others[i], rtt)
	}
	pick := func(names ...string) (out []api.PeerID) {
		for _, n := range names {
			out = append(out, ids[n])
		}
		return out
	}
	if got := x.providers(t); !slices.Equal(got, pick("near", "middle", "far", "hinted", "new")) {
		t.Errorf("without a hint: %v", got)
	}
	x.Hint(blob, x.id)
	x.Hint(blob, ids["hinted"])
	if got := x.providers(t); !slices.Equal(got, pick("hinted", "near", "middle", "far", "new")) {
		t.Errorf("with a hint: %v", got)
	}
	x.Hint(blob, ids["away"])
	if got := x.providers(t); !slices.Equal(got, pick("near", "middle", "far", "hinted", "new", "away")) {
		t.Errorf("with a hint at somebody who is away: %v", got)
	}
}

// TestAnswersFast asks while the DHT has nobody to ask.
func TestAnswersFast(t *testing.T) {
	x := newHolder(t)
	start := time.Now()
	if got := x.providers(t); len(got) != 0 {
		t.Errorf("alone: %v", got)
	}
	if took := time.Since(start); took > lookupTimeout+500*time.Millisecond {
		t.Errorf("it took %v", took)
	}
}

func TestCaps(t *testing.T) {
	x := newHolder(t)
	digest := func(i int) (d api.Digest) {
		d[0], d[1], d[2], d[31] = byte(i), byte(i>>8), byte(i>>16), 1
		return d
	}
	other := newHolder(t).id
	for i := range maxHints + 10 {
		x.Hint(digest(i), other)
	}
	x.mu.Lock()
	hints, recent, oldest := len(x.hints), len(x.recent), x.hints[digest(0)]
	x.mu.Unlock()
	if hints != maxHints || recent != maxHints || oldest != "" {
		t.Errorf("%d hints are kept; want the last %d", hints, maxHints)
	}
	all := make([]api.Digest, maxAnnounced+10)
	for i := range all {
		all[i] = digest(i)
	}
	x.Announce(all)
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.blobs) != maxAnnounced || len(x.queue)+len(x.unheard) > maxAnnounced {
		t.Errorf("%d blobs are announced, %d wait; want %d", len(x.blobs), len(x.queue), maxAnnounced)
	}
}

// allMembers lets everybody in: this package is not about who may enter.
func allMembers(peer.ID, []byte) p2p.Standing { return p2p.Member }
