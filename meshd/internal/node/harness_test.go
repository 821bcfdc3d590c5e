package node

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/gossip"
	"github.com/realm-mesh/realm/meshd/internal/intents/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(envChild); dir != "" {
		child(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// owner signs for the realm of a test.
type owner struct {
	key ed25519.PrivateKey
	pin trust.Pin
}

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newOwner(t testing.TB) owner {
	key := newKey(t)
	return owner{key, trust.NewPin(keys.PublicOf(key))}
}

// sign makes an intent of the owner's about a component.
func (o owner) sign(t testing.TB, name string, seq uint64) intent.Signed {
	t.Helper()
	body, err := json.Marshal(api.Component{Module: api.Program{Blob: api.Sum([]byte(name)), Size: 7}})
	if err != nil {
		t.Fatal(err)
	}
	in := api.Intent{Realm: o.pin.Realm, Ref: ref(name), Seq: seq, Issued: time.Now(), Body: body}
	if seq > 1 {
		in.Prev = api.Sum([]byte("the one before"))
	}
	s, err := intent.Sign(in, o.key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signRaw signs a payload that this version may not understand.
func (o owner) signRaw(t testing.TB, payload string) []byte {
	t.Helper()
	signer, err := dsse.NewEnvelopeSigner(rawSigner{o.key})
	if err != nil {
		t.Fatal(err)
	}
	env, err := signer.SignPayload(context.Background(), api.PayloadIntent, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

type rawSigner struct{ key ed25519.PrivateKey }

func (s rawSigner) Sign(_ context.Context, data []byte) ([]byte, error) {
	return ed25519.Sign(s.key, data), nil
}
func (s rawSigner) KeyID() (string, error) { return keys.PublicOf(s.key).String(), nil }

func ref(name string) api.Ref { return api.Ref{Kind: api.KindComponent, Name: api.Name(name)} }

// place is where a member lives: what outlasts its process.
type place struct {
	owner   owner
	key     ed25519.PrivateKey
	dir     string
	store   *storetest.Memory
	port    int
	daemons http.RoundTripper
	mdns    bool
}

func newPlace(t testing.TB, o owner) *place {
	return &place{owner: o, key: newKey(t), dir: t.TempDir(), store: storetest.NewMemory(),
		daemons: roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("no daemons in this test") })}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (p *place) id() api.PeerID { return keys.Peer(p.key.Public().(ed25519.PublicKey)) }

// member is a running node of a test.
type member struct {
	*Node
	place *place
	stop  func()
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

// start brings a member up; boot are members that it is told of.
func (p *place) start(t testing.TB, boot ...*member) *member {
	t.Helper()
	m := &member{place: p, seen: &seen{counts: map[string]int{}}}
	marks, err := trust.OpenMarks(filepath.Join(p.dir, "marks.log"))
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Key: p.key, Pin: p.owner.pin, Fact: api.PeerFact{Version: "v0", Roles: []string{"edge"}},
		Book: filepath.Join(p.dir, "peers.json"), MDNS: p.mdns, Store: p.store, Marks: marks,
		Room: func(int64) error { return nil }, Daemons: p.daemons, Log: testLog(), Listen: p.listen,
		Observe: Observer{
			Gossip: func(topic string, v gossip.Verdict) { m.seen.add("gossip %s %s", topic, v) },
			Intent: func(source string, news bool, err error) { m.seen.add("%s news=%v err=%v", source, news, err != nil) },
			Sync:   func(int, error) {},
			Stream: func(api.Service, bool) {},
		},
	}
	for _, b := range boot {
		cfg.Bootstrap = append(cfg.Bootstrap, peer.AddrInfo{ID: b.host.ID(), Addrs: b.host.Addrs()})
	}
	if m.Node, err = Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	m.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%s: Run = %v", p.id().Short(), err)
		}
		marks.Close()
	})
	t.Cleanup(m.stop)
	return m
}

// listen uses loopback alone, on a port that stays the same over restarts.
func (p *place) listen(_ context.Context, h host.Host) error {
	if p.mdns {
		return h.Network().Listen(ma.StringCast("/ip4/0.0.0.0/udp/0/quic-v1"))
	}
	for _, s := range []string{"/ip4/127.0.0.1/udp/%d/quic-v1", "/ip4/127.0.0.1/tcp/%d"} {
		if err := h.Network().Listen(ma.StringCast(fmt.Sprintf(s, p.port))); err != nil {
			return err
		}
		if p.port == 0 {
			if _, err := fmt.Sscanf(h.Network().ListenAddresses()[0].String(), "/ip4/127.0.0.1/udp/%d", &p.port); err != nil {
				return err
			}
		}
	}
	return nil
}

func testLog() *slog.Logger {
	if os.Getenv("REALM_LOG_LEVEL") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// mesh starts n members that know the first, and waits until all are connected to all.
func mesh(t testing.TB, o owner, n int) []*member {
	t.Helper()
	all := []*member{newPlace(t, o).start(t)}
	for range n - 1 {
		all = append(all, newPlace(t, o).start(t, all[0]))
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
		until(t, 20*time.Second, "everybody hears everybody", func() bool {
			return !slices.ContainsFunc(all, func(o *member) bool { return o != m && !m.gossip.Listens(o.host.ID()) })
		})
	}
}

// until waits for something that nothing tells of from the outside.
func until(t testing.TB, limit time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	for !ok() {
		if time.Since(start) > limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(start)
}

func (m *member) holds(s intent.Signed) bool {
	return slices.Contains(m.ledger.Summary(), api.SyncEntry{Ref: s.Ref, Seq: s.Seq, Digest: s.Digest})
}

func (m *member) submit(t testing.TB, s intent.Signed) {
	t.Helper()
	if d, err := m.Submit(t.Context(), s.Envelope); err != nil || d != s.Digest {
		t.Fatalf("Submit = %v, %v", d, err)
	}
}
