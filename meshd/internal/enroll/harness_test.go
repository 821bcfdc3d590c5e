package enroll

import (
	"context"
	"crypto/ed25519"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/invite"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
	"github.com/realm-mesh/realm/meshd/internal/streams"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// member is a host that lets nodes in.
type member struct {
	*p2p.Host
	key    ed25519.PrivateKey
	keeper *intents.Keeper
	desk   *Desk

	mu  sync.Mutex
	off time.Duration // of its clock
}

func (m *member) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Add(m.off)
}

func (m *member) shift(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.off = d
}

// newMember brings up a member of r; wrap, if given, stands before its desk.
func newMember(t *testing.T, r *meshtest.Realm, wrap func(http.Handler) http.Handler) *member {
	t.Helper()
	m := &member{key: meshtest.Key(t)}
	r.Admit(t, m.key)
	var err error
	m.keeper, err = intents.Open(intents.Config{Pin: r.Pin, Path: filepath.Join(t.TempDir(), "intents.log"), Now: m.now,
		Room: func(int64) error { return nil }, Log: meshtest.Log()})
	if err != nil {
		t.Fatal(err)
	}
	m.learn(t, r)
	id := protocol.ID(api.Protocol(r.Pin.Realm, api.ServiceEnroll))
	m.Host, err = p2p.New(p2p.Config{Key: m.key, Realm: r.Pin.Realm, Version: "test", Proof: r.Shown(t, m.key), Judge: m.judge, GuestProtocols: []protocol.ID{id}})
	if err != nil {
		t.Fatal(err)
	}
	m.desk = NewDesk(DeskConfig{Key: m.key, Keeper: m.keeper, Host: m.Host, Now: m.now, Log: meshtest.Log(),
		Peers: func() []api.PeerFact { return []api.PeerFact{{Peer: meshtest.ID(m.key)}} }})
	handler := m.desk.Handler()
	if wrap != nil {
		handler = wrap(handler)
	}
	server := streams.Listen(m.Host, r.Pin.Realm, api.ServiceEnroll, handler, meshtest.Log())
	meshtest.Listen(t, m.Host)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx, time.Second) }()
	t.Cleanup(func() {
		cancel()
		for _, err := range []error{<-ended, m.Close(), m.keeper.Close()} {
			if err != nil {
				t.Error(err)
			}
		}
	})
	return m
}

// learn has the member know all that the owner has signed.
func (m *member) learn(t *testing.T, r *meshtest.Realm) {
	t.Helper()
	var all []intent.Signed
	for _, ref := range r.Ledger.Refs() {
		for _, v := range r.Ledger.History(ref, time.Now()) {
			all = append(all, v.Signed)
		}
	}
	_, errs := m.keeper.Accept(all, intents.BySync)
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (m *member) judge(p peer.ID, proof []byte) p2p.Standing {
	pub, err := keys.OfPeer(api.PeerID(p.String()))
	if err != nil {
		return p2p.Stranger
	}
	switch m.keeper.Ledger().Judge(pub, proof, m.now()).Standing {
	case api.StandingMember:
		return p2p.Member
	case api.StandingJoining:
		return p2p.Guest
	}
	return p2p.Stranger
}

// standing is what the member knows of a node.
func (m *member) standing(key ed25519.PrivateKey) api.Standing {
	is, _ := m.keeper.Ledger().Member(keys.PublicOf(key), m.now())
	return is.Standing
}

func (m *member) addr() string { return p2p.PasteAddrs(m.Host)[0] }

// newJoiner makes a joiner with a token, on loopback.
func newJoiner(t *testing.T, token invite.Token, key ed25519.PrivateKey) *Joiner {
	t.Helper()
	j, err := Open(t.Context(), Config{Key: key, Token: token, Version: "test", Book: filepath.Join(t.TempDir(), "peers.json"), Log: meshtest.Log(),
		Listen: func(ctx context.Context, h host.Host) error {
			_, err := meshtest.Loopback(ctx, h, 0)
			return err
		}})
	if err != nil {
		t.Fatal(err)
	}
	j.patience = 500 * time.Millisecond
	t.Cleanup(func() { j.Close() })
	return j
}

// run runs j until it is let in, refused, or patience is over.
func run(t *testing.T, j *Joiner) (api.EnrollReply, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return j.Run(ctx)
}

func hour() api.Invite {
	return api.Invite{Expires: time.Now().Add(time.Hour).UTC().Truncate(time.Second)}
}
