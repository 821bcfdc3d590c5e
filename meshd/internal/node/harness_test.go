package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/gossip"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envChild); dir != "" {
		child(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

var (
	until = meshtest.Until
	ref   = meshtest.Ref
)

// place is where a node lives: what outlasts its process.
type place struct {
	key     ed25519.PrivateKey
	pin     trust.Pin
	proof   api.Proof
	dir     string
	roles   []string
	port    int
	daemons http.RoundTripper
	mdns    bool

	capacity api.Capacity

	clock atomic.Int64 // how far it is off, in nanoseconds
	full  atomic.Bool  // the disk
}

// newPlace is the place of a member that the owner has admitted.
func newPlace(t testing.TB, r *meshtest.Realm) *place {
	t.Helper()
	p := waiting(t, r)
	r.Admit(t, p.key)
	p.proof = r.Proof(p.key)
	return p
}

// waiting is the place of a node that follows r, and has not been let in.
func waiting(t testing.TB, r *meshtest.Realm) *place {
	t.Helper()
	return &place{key: meshtest.Key(t), pin: r.Pin, proof: api.Proof{Realm: r.Pin.Realm}, dir: t.TempDir(), roles: []string{"edge"},
		daemons: roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("no daemons in this test") })}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (p *place) id() api.PeerID { return meshtest.ID(p.key) }

func (p *place) now() time.Time { return time.Now().Add(time.Duration(p.clock.Load())) }

// member is a running node of a test.
type member struct {
	*Node
	place *place
	stop  func()
	ended chan struct{} // closed when Run has returned
	err   error         // of Run
	seen  *seen
}

// seen counts what a member observes.
type seen struct {
	mu     sync.Mutex
	counts map[string]int
}

func (s *seen) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[fmt.Sprintf(format, args...)]++
}

func (s *seen) count(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[what]
}

// start brings a node up; boot are members that it is told of.
func (p *place) start(t testing.TB, boot ...*member) *member {
	t.Helper()
	m := &member{place: p, ended: make(chan struct{}), seen: &seen{counts: map[string]int{}}}
	var running atomic.Pointer[Node]
	keeper, err := p.openKeeper(&running)
	if err != nil {
		t.Fatal(err)
	}
	cfg := p.config(keeper)
	cfg.Observe = Observer{
		Gossip: func(topic string, v gossip.Verdict) { m.seen.add("gossip %s %s", topic, v) },
		Intent: func(source string, news bool, err error) { m.seen.add("%s news=%v err=%v", source, news, err != nil) },
		Sync:   func(int, error) {},
		Stream: func(s api.Service, inbound bool) { m.seen.add("stream %s in=%v", s, inbound) },
	}
	for _, b := range boot {
		cfg.Bootstrap = append(cfg.Bootstrap, peer.AddrInfo{ID: b.host.ID(), Addrs: b.host.Addrs()})
	}
	if m.Node, err = Open(t.Context(), cfg); err != nil {
		t.Fatal(errors.Join(err, keeper.Close()))
	}
	running.Store(m.Node)
	ctx, cancel := context.WithCancel(context.Background())
	kept := make(chan error, 1)
	go func() { kept <- keeper.Run(ctx) }()
	go func() {
		m.err = m.Run(ctx)
		close(m.ended)
	}()
	m.stop = sync.OnceFunc(func() {
		cancel()
		<-m.ended
		if m.err != nil && !errors.Is(m.err, ErrReopen) {
			t.Errorf("%s: Run = %v", p.id().Short(), m.err)
		}
		if err := errors.Join(<-kept, keeper.Close()); err != nil {
			t.Errorf("%s: keeper: %v", p.id().Short(), err)
		}
	})
	t.Cleanup(m.stop)
	return m
}

func (p *place) openKeeper(running *atomic.Pointer[Node]) (*intents.Keeper, error) {
	return intents.Open(intents.Config{
		Pin: p.pin, Path: filepath.Join(p.dir, "intents.log"), Now: p.now, Log: meshtest.Log(),
		Room: func(int64) error {
			if p.full.Load() {
				return errors.New("the disk is full")
			}
			return nil
		},
		Changed: func(by intents.Source, c ledger.Change) {
			if n := running.Load(); n != nil {
				n.Changed(by, c)
			}
		},
	})
}

func (p *place) config(keeper *intents.Keeper) Config {
	synced := filepath.Join(p.dir, "synced")
	_, err := os.Stat(synced)
	return Config{
		Key: p.key, Pin: p.pin, Proof: p.proof, Keeper: keeper, Now: p.now,
		Fresh: err != nil, Synced: func() { _ = atomicfile.Write(synced, nil, 0o600) },
		Repin: func(pin trust.Pin) error { return pin.Write(filepath.Join(p.dir, "trust.json")) },
		Fact:  api.PeerFact{Version: "v0", Roles: p.roles, Capacity: p.capacity},
		Book:  filepath.Join(p.dir, "peers.json"), MDNS: p.mdns,
		Daemons: p.daemons, Log: meshtest.Log().With("node", p.id().Short()), Listen: p.listen,
		Observe: Observer{Gossip: func(string, gossip.Verdict) {}, Intent: func(string, bool, error) {}, Sync: func(int, error) {}, Stream: func(api.Service, bool) {}},
	}
}

// listen uses loopback alone, on a port that stays the same over restarts.
func (p *place) listen(ctx context.Context, h host.Host) (err error) {
	if p.mdns {
		return h.Network().Listen(ma.StringCast("/ip4/0.0.0.0/udp/0/quic-v1"))
	}
	p.port, err = meshtest.Loopback(ctx, h, p.port)
	return err
}

// mesh starts n members that know the first, and waits until all are connected to all.
func mesh(t testing.TB, r *meshtest.Realm, n int) []*member {
	t.Helper()
	all := []*member{newPlace(t, r).start(t)}
	for range n - 1 {
		all = append(all, newPlace(t, r).start(t, all[0]))
	}
	waitMesh(t, all...)
	return all
}

func waitMesh(t testing.TB, all ...*member) {
	t.Helper()
	for _, m := range all {
		until(t, 20*time.Second, "everybody is connected to everybody", func() bool { return m.Neighbours() == len(all)-1 })
	}
	for _, m := range all {
		until(t, 20*time.Second, "everybody hears everybody, and is up to date", func() bool {
			return !slices.ContainsFunc(all, func(o *member) bool { return o != m && !m.gossip.Listens(o.host.ID()) }) && !m.sync.Holding()
		})
	}
}

func (m *member) holds(s intent.Signed) bool {
	_, ok := m.ledger().Held(s.Digest)
	return ok
}

// workloads is how many intents about programs a member holds.
func (m *member) workloads() (n int) {
	for _, ref := range m.ledger().Refs() {
		if !ref.Kind.Trust() {
			n++
		}
	}
	return n
}

func (m *member) submit(t testing.TB, s intent.Signed) {
	t.Helper()
	if d, err := m.Submit(t.Context(), s.Envelope); err != nil || d != s.Digest {
		t.Fatalf("Submit = %v, %v", d, err)
	}
}

// next is the version of a component that comes next at m, by the owner.
func (m *member) next(t testing.TB, r *meshtest.Realm, name string) intent.Signed {
	t.Helper()
	seq, prev := m.ledger().Next(ref(name), m.place.now())
	return r.Sign(t, r.Key, api.Intent{Ref: ref(name), Seq: seq, Prev: prev}, api.Component{Module: api.Program{Blob: api.Sum([]byte(name)), Size: 7}})
}
