package catchup

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/conduct"
	"github.com/realm-mesh/realm/meshd/internal/gossip"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
	"github.com/realm-mesh/realm/meshd/internal/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// member is a node as far as intents go: a real host, a real log, gossip and sync.
type member struct {
	host    *p2p.Host
	keeper  *intents.Keeper
	conduct *conduct.Book
	client  *Client
	runner  *Runner
	gossip  *gossip.Gossip
	path    string // of the log
	asked   atomic.Int64
	heard   chan intent.Signed
	lose    func(m gossip.Message) bool
}

// plan is how a member differs from others.
type plan struct {
	first    *First
	interval time.Duration
	lose     func(m gossip.Message) bool // gossip that does not come through; nil: all does
	silent   bool                        // it does not gossip
}

// newMember starts a member of r on loopback.
func newMember(t testing.TB, r *meshtest.Realm, p plan) *member {
	t.Helper()
	m := &member{host: r.Host(t), path: filepath.Join(t.TempDir(), "intents.log"), heard: make(chan intent.Signed, 1024), lose: p.lose}
	m.conduct = conduct.New(conduct.Config{Changed: func(peer.ID, string) {}, Block: func(peer.ID) {}, Log: meshtest.Log()})
	var err error
	m.keeper, err = intents.Open(intents.Config{Pin: r.Pin, Path: m.path, Now: time.Now, Log: meshtest.Log(), Room: func(int64) error { return nil },
		Changed: func(_ intents.Source, c ledger.Change) {
			if c.Trust && m.client != nil {
				m.client.TrustChanged()
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	transport := streams.NewTransport(m.host, r.Pin.Realm, api.ServiceSync, 20*time.Second)
	m.client = &Client{HTTP: &http.Client{Transport: transport}, Ledger: m.keeper.Ledger(), Conduct: m.conduct, Now: time.Now,
		Accept: func(_ peer.ID, all []intent.Signed) (ledger.Change, []error) {
			return m.keeper.Accept(all, intents.BySync)
		},
		Merge: func(peer.ID, *api.FactBatch) error { return nil }, Met: func(api.PeerFact) {}, Skew: func(peer.ID, time.Duration) {}}
	m.runner = NewRunner(Config{Client: m.client, Neighbours: m.neighbours, First: p.first, Interval: p.interval,
		Done: func(peer.ID, int, error) {}, Log: meshtest.Log()})
	server := &Server{Ledger: m.keeper.Ledger(), Facts: &voice{}, Conduct: m.conduct, Now: time.Now}
	served := server.Handler()
	srv := streams.Listen(m.host, r.Pin.Realm, api.ServiceSync, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		m.asked.Add(1)
		served.ServeHTTP(w, req)
	}), meshtest.Log())
	ctx, cancel := context.WithCancel(context.Background())
	fns := []func(context.Context) error{m.keeper.Run, m.runner.Run, m.conduct.Run, func(ctx context.Context) error { return srv.Run(ctx, time.Second) }}
	if !p.silent {
		if m.gossip, err = gossip.Join(ctx, m.host, m.topics(r)); err != nil {
			t.Fatal(err)
		}
		fns = append(fns, m.gossip.Run, m.keepHeard)
	}
	meshtest.Listen(t, m.host)
	ended := make(chan error, 1)
	go func() { ended <- task.Run(ctx, fns...) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		cancel()
		if err := errors.Join(<-ended, m.keeper.Close()); err != nil {
			t.Error(err)
		}
	})
	return m
}

func (m *member) neighbours() []peer.ID { return m.host.Network().Peers() }

func (m *member) topics(r *meshtest.Realm) gossip.Config {
	return gossip.Config{Realm: r.Pin.Realm, Conduct: m.conduct, Log: p2p.Quiet(context.Background(), meshtest.Log()),
		Member: func(peer.ID) bool { return true }, Missed: m.runner.Soon, Count: func(string, gossip.Verdict) {},
		Topics: []gossip.Topic{{Name: api.TopicIntent(r.Pin.Realm), Max: api.MaxEnvelope, PassedOn: conduct.IntentsPassedOn, Said: conduct.IntentsSaid,
			Check: func(msg gossip.Message) (gossip.Verdict, any) {
				if m.lose != nil && m.lose(msg) {
					return gossip.Ignore, nil
				}
				s, err := m.keeper.Look(msg.Data)
				if err != nil {
					return gossip.Ignore, nil
				}
				m.runner.Stir()
				return gossip.Accept, s
			},
			Deliver: func(ctx context.Context, _ peer.ID, checked any) {
				select {
				case m.heard <- checked.(intent.Signed):
				case <-ctx.Done():
				}
			}}}}
}

// keepHeard keeps what gossip brings.
func (m *member) keepHeard(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case s := <-m.heard:
			batch := []intent.Signed{s}
			for len(m.heard) > 0 {
				batch = append(batch, <-m.heard)
			}
			m.keeper.Accept(batch, intents.ByGossip)
		}
	}
}

// submit accepts an intent at m and tells the others.
func (m *member) submit(t testing.TB, r *meshtest.Realm, s intent.Signed) {
	t.Helper()
	if _, _, err := m.keeper.Submit(context.Background(), s.Envelope); err != nil {
		t.Fatal(err)
	}
	if err := m.gossip.Publish(context.Background(), api.TopicIntent(r.Pin.Realm), s.Envelope); err != nil {
		t.Fatal(err)
	}
}

func (m *member) take(t testing.TB, all ...intent.Signed) {
	t.Helper()
	_, errs := m.keeper.Accept(all, intents.BySync)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func (m *member) connect(t testing.TB, to *member) {
	t.Helper()
	if err := m.host.Connect(t.Context(), meshtest.Info(to.host)); err != nil {
		t.Fatal(err)
	}
}

func same(a, b *member) bool {
	return len(a.keeper.Ledger().Differing(b.keeper.Ledger().Digests())) == 0
}

// many are n components, each with one version.
func many(t testing.TB, r *meshtest.Realm, n int) []intent.Signed {
	t.Helper()
	out := make([]intent.Signed, n)
	for i := range out {
		out[i] = r.Component(t, fmt.Sprintf("w%d", i), 1)
	}
	return out
}

// voice is the facts of a member.
type voice struct {
	mu    sync.Mutex
	batch api.FactBatch
	peers []api.PeerFact
}

func (v *voice) Full() api.FactBatch {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.batch.Epoch = max(v.batch.Epoch, 1)
	v.batch.Seq++
	return v.batch
}

func (v *voice) Members(int) []api.PeerFact { return v.peers }

// direct answers requests with a handler, as from a peer, without a network in between.
type direct struct {
	http.Handler
	from peer.ID
}

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	in := r.Clone(r.Context())
	in.RemoteAddr = d.from.String()
	d.ServeHTTP(w, in)
	return w.Result(), nil
}

// shelf is a set of intents without a disk.
type shelf struct {
	*ledger.Ledger
	conduct *conduct.Book

	mu     sync.Mutex
	failed error // of the disk
}

// broken is what the disk says.
func (s *shelf) broken() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// breakDisk has the disk fail; nil mends it.
func (s *shelf) breakDisk(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = err
}

func newShelf(pin trust.Pin, all ...intent.Signed) *shelf {
	s := &shelf{Ledger: ledger.New(pin), conduct: conduct.New(conduct.Config{Log: meshtest.Log()})}
	s.AddAll(all, time.Now())
	return s
}

func (s *shelf) handler() http.Handler {
	return (&Server{Ledger: s.Ledger, Facts: &voice{}, Conduct: s.conduct, Now: time.Now}).Handler()
}

// client asks handler for what s has not.
func (s *shelf) client(handler http.Handler) *Client {
	c := &Client{HTTP: &http.Client{Transport: direct{handler, peerOf(99)}}, Ledger: s.Ledger, Conduct: s.conduct, Now: time.Now,
		Merge: func(peer.ID, *api.FactBatch) error { return nil }, Met: func(api.PeerFact) {}, Skew: func(peer.ID, time.Duration) {}}
	c.Accept = func(_ peer.ID, all []intent.Signed) (ledger.Change, []error) {
		if err := s.broken(); err != nil {
			errs := make([]error, len(all))
			for i := range errs {
				errs[i] = err
			}
			return ledger.Change{}, errs
		}
		change, errs := s.AddAll(all, time.Now())
		if change.Trust {
			c.TrustChanged()
		}
		return change, errs
	}
	return c
}

// peerOf is some peer id.
func peerOf(n byte) peer.ID {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
	p, err := peer.Decode(string(keys.Peer(keys.PublicOf(key).Key())))
	if err != nil {
		panic(err)
	}
	return p
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
