package p2p

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/gologshim"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"go.uber.org/fx"

	"github.com/realm-mesh/realm/api"
)

// dialTimeout bounds one attempt at one address.
const dialTimeout = 5 * time.Second

// Config says which host to make.
type Config struct {
	Key     ed25519.PrivateKey // the node's: its peer id follows from it
	Realm   api.RealmID        // "" for a node without an owner
	Roles   []string
	Version string

	// Proof is what this node shows of itself to every peer, at most [api.MaxProof] bytes.
	Proof []byte
	// Judge is asked in the handshake of every connection, in both directions,
	// what the peer is that has shown proof. p is authenticated. It is called by
	// several goroutines at once, and should not take long: connections wait for it.
	Judge func(p peer.ID, proof []byte) Standing
	// GuestProtocols are all that a [Guest] can use, and all that is used towards one.
	GuestProtocols []protocol.ID
	// Knock, if set, is told of refused inbound connections of peers that have shown a
	// proof, even an empty one. Some are left out when there are many. It must not block.
	Knock func(p peer.ID, addr string, proof []byte)
}

func (c Config) validate() error {
	if c.Judge == nil {
		return errors.New("there is no judge of peers")
	}
	if len(c.Proof) > api.MaxProof {
		return fmt.Errorf("the proof has %d bytes; at most %d", len(c.Proof), api.MaxProof)
	}
	return nil
}

// New makes a host that listens nowhere yet.
func New(c Config) (*Host, error) {
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("make libp2p host: %w", err)
	}
	return newHost(c)
}

func newHost(c Config) (*Host, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(c.Key)
	if err != nil {
		return nil, fmt.Errorf("make libp2p host: %w", err)
	}
	self, err := peer.IDFromPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make libp2p host: %w", err)
	}
	d := newDoor(self, c)
	limited, err := resourceManager(c.Realm)
	if err != nil {
		return nil, fmt.Errorf("make libp2p host: %w", err)
	}
	conns, err := connectionManager()
	if err != nil {
		return nil, fmt.Errorf("make libp2p host: %w", errors.Join(err, limited.Close()))
	}
	opts, err := guarded(d, newCredential(c.Proof))
	if err != nil {
		return nil, fmt.Errorf("make libp2p host: %w", errors.Join(err, conns.Close(), limited.Close()))
	}
	h, err := libp2p.New(append(opts,
		libp2p.Identity(key),
		libp2p.UserAgent("realm/"+c.Version),
		libp2p.ProtocolVersion("realm/1"),
		libp2p.NoListenAddrs,
		libp2p.ResourceManager(newResources(limited, d)),
		libp2p.ConnectionManager(conns),
		libp2p.AddrsFactory(advertised),
		libp2p.WithDialTimeout(dialTimeout),
		libp2p.SwarmOpts(swarm.WithDialRanker(dialRank)),
		libp2p.DisableMetrics(),
		// Members that are off for a week must not teach the host that a whole
		// transport is dead.
		libp2p.UDPBlackHoleSuccessCounter(nil),
		libp2p.IPv6BlackHoleSuccessCounter(nil),
	)...)
	if err != nil {
		return nil, fmt.Errorf("make libp2p host: %w", errors.Join(err, conns.Close(), limited.Close()))
	}
	h.Network().Notify(d.notifiee())
	if c.Realm != "" {
		for _, r := range c.Roles {
			h.SetStreamHandler(RoleProtocol(c.Realm, r), func(s network.Stream) { _ = s.Reset() })
		}
	}
	return &Host{Host: h, door: d}, nil
}

// guarded are the ways in and out, each through the door: QUIC, TCP, and relays that
// are members.
func guarded(d *door, own credential) ([]libp2p.Option, error) {
	template, err := own.template()
	if err != nil {
		return nil, err
	}
	return []libp2p.Option{
		libp2p.Transport(quic.NewTransport, quic.WithTLSIdentityOption(libp2ptls.WithCertTemplate(template))),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.EnableRelay(),
		libp2p.Security(string(securityID), newSecurity(d, own)),
		libp2p.Muxer(yamux.ID, muxer{narrow(yamux.DefaultTransport)}),
		libp2p.ConnectionGater(gate{d}),
		libp2p.WithFxOption(fx.Supply([]upgrader.Option{upgrader.WithAcceptTimeout(handshakeFor)})),
	}, nil
}

// RoleProtocol is listed in identify by a node with the role. Nothing is spoken on it.
func RoleProtocol(r api.RealmID, role string) protocol.ID {
	return protocol.ID("/realm/" + string(r) + "/role/" + role)
}

// ID converts a peer id of libp2p. Peers whose keys are not Ed25519 have none.
func ID(p peer.ID) (api.PeerID, error) { return api.ParsePeerID(p.String()) }

// Decode converts a peer id to libp2p's form.
func Decode(p api.PeerID) (peer.ID, error) {
	id, err := peer.Decode(string(p))
	if err != nil {
		return "", fmt.Errorf("peer id %.80q: %w", p, err)
	}
	return id, nil
}

// Quiet is log for libraries: errors only; at debug level all of it.
func Quiet(ctx context.Context, log *slog.Logger) *slog.Logger {
	least := slog.LevelError
	if log.Enabled(ctx, slog.LevelDebug) {
		least = slog.LevelDebug
	}
	return slog.New(leastLevel{log.Handler(), least})
}

// LogTo sends what libp2p itself logs to log. It must be called before the first
// host is made.
func LogTo(log *slog.Logger) { gologshim.SetDefaultHandler(log.Handler()) }

// leastLevel is a handler that drops what is below a level.
type leastLevel struct {
	slog.Handler
	least slog.Level
}

func (h leastLevel) Enabled(_ context.Context, l slog.Level) bool { return l >= h.least }

func (h leastLevel) WithAttrs(a []slog.Attr) slog.Handler {
	return leastLevel{h.Handler.WithAttrs(a), h.least}
}

func (h leastLevel) WithGroup(name string) slog.Handler {
	return leastLevel{h.Handler.WithGroup(name), h.least}
}
