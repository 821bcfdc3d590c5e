package enroll

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/invite"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/meshd/internal/discovery"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
	"github.com/realm-mesh/realm/meshd/internal/streams"
)

// Config says who joins, and where to look for members.
type Config struct {
	Key       ed25519.PrivateKey // the node's
	Token     invite.Token
	Version   string
	Bootstrap []peer.AddrInfo // besides those in the token
	Book      string          // file of known members
	MDNS      bool
	Listen    func(ctx context.Context, h host.Host) error
	Log       *slog.Logger
}

// ErrRefused: members do not take the invite, and will not later on.
var ErrRefused = errors.New("the invite is refused")

// Joiner is a node on its way to become a member.
type Joiner struct {
	cfg    Config
	join   intent.Signed
	realm  *ledger.Ledger // what the token says
	host   *p2p.Host
	finder *discovery.Finder
	trips  *http.Transport
	met    chan peer.ID // that have just been connected

	patience time.Duration // askOthers

	mu       sync.Mutex
	refusals map[peer.ID]refusal
}

// Open makes the host of a joiner, which listens. The caller must call [Joiner.Run],
// which closes it, or [Joiner.Close].
func Open(ctx context.Context, cfg Config) (*Joiner, error) {
	j := &Joiner{cfg: cfg, realm: ledger.New(cfg.Token.Pin()), met: make(chan peer.ID, maxMet), patience: askOthers, refusals: map[peer.ID]refusal{}}
	if err := j.learn(); err != nil { //nolint:contextcheck // it computes, and waits for nothing
		return nil, fmt.Errorf("join: %w", err)
	}
	shown, err := ledger.EncodeProof(cfg.Token.Proof(j.join))
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	j.host, err = p2p.New(p2p.Config{Key: cfg.Key, Realm: cfg.Token.Realm, Version: cfg.Version, Proof: shown,
		Judge: j.judge, GuestProtocols: []protocol.ID{protocol.ID(api.Protocol(cfg.Token.Realm, api.ServiceEnroll))}})
	if err != nil {
		return nil, err
	}
	j.host.Network().Notify(&network.NotifyBundle{ConnectedF: func(_ network.Network, c network.Conn) { j.meet(c.RemotePeer()) }})
	j.trips = streams.NewTransport(j.host, cfg.Token.Realm, api.ServiceEnroll, askTimeout)
	boot := append(usable(cfg.Token.Addrs), cfg.Bootstrap...)
	j.finder = discovery.New(discovery.Config{Host: j.host, Bootstrap: boot, Book: cfg.Book, MDNS: cfg.MDNS, Enough: p2p.MaxMesh,
		Stranger: j.leave, Log: cfg.Log})
	if err := cfg.Listen(ctx, j.host); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// learn takes what the token says of the realm, and signs the join.
func (j *Joiner) learn() (err error) {
	var all []intent.Signed
	for _, raw := range append([][]byte{j.cfg.Token.Invite}, j.cfg.Token.Rotations...) {
		s, err := intent.Read(raw)
		if err != nil {
			return err
		}
		all = append(all, s)
	}
	if _, errs := j.realm.AddAll(all, time.Now()); errors.Join(errs...) != nil {
		return errors.Join(errs...)
	}
	j.join, err = j.cfg.Token.Join(keys.PublicOf(j.cfg.Key))
	return err
}

// usable are the addresses of a token that can be dialled. The others cost nothing.
func usable(addrs []string) (out []peer.AddrInfo) {
	for _, a := range addrs {
		if ai, err := p2p.ParseBootstrap([]string{a}); err == nil {
			out = append(out, ai...)
		}
	}
	return out
}

// judge lets members of the token's realm in, for the service enroll alone.
func (j *Joiner) judge(p peer.ID, proof []byte) p2p.Standing {
	pub, err := keys.OfPeer(api.PeerID(p.String()))
	if err != nil || j.realm.Judge(pub, proof, time.Now()).Standing != api.StandingMember {
		return p2p.Stranger
	}
	return p2p.Guest
}

// Run asks members until one has let the node in, and closes the host. Its error is
// [ErrRefused] when trying on is of no use.
func (j *Joiner) Run(ctx context.Context) (reply api.EnrollReply, err error) {
	defer func() { err = errors.Join(err, j.Close()) }()
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	err = task.Run(inner, j.finder.Run, func(ctx context.Context) (err error) {
		defer cancel()
		reply, err = j.askAll(ctx)
		return err
	})
	if err == nil && ctx.Err() != nil && reply.Proof.Realm == "" {
		err = ctx.Err()
	}
	return reply, err
}

// Close closes the host. Closing twice is closing once.
func (j *Joiner) Close() error {
	j.trips.CloseIdleConnections()
	return j.host.Close()
}

// Addrs are where the node can be reached, with its peer id, likeliest first.
func (j *Joiner) Addrs() []string { return p2p.PasteAddrs(j.host) }
