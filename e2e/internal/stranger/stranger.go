// Package stranger is a libp2p host that belongs to no realm and tries every door
// of a node. It is made of stock parts alone, set up as an attacker would who has
// read the source: it knows the realm's id, its protocols and its topics.
package stranger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/discovery/mdns"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	mh "github.com/multiformats/go-multihash"

	"github.com/realm-mesh/realm/api"
)

// answerWithin is how long a door may take to open.
const answerWithin = 2 * time.Second

// Stranger is a host that speaks everything that members speak.
type Stranger struct {
	Host host.Host

	realm  api.RealmID
	dht    *dht.IpfsDHT
	topics []*pubsub.Topic
	heard  atomic.Int64 // messages of gossip
	cancel context.CancelFunc
}

// New makes a stranger that knows the realm's id and listens on these addresses. Its
// options say how it connects.
func New(realm api.RealmID, listen []string, opts ...libp2p.Option) (*Stranger, error) {
	h, err := libp2p.New(append([]libp2p.Option{
		libp2p.ListenAddrStrings(listen...),
		libp2p.DisableMetrics(),
		libp2p.ResourceManager(&network.NullResourceManager{}),
	}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("make a stranger: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Stranger{Host: h, realm: realm, cancel: cancel}
	if err := s.join(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("make a stranger: %w", err), s.Close())
	}
	return s, nil
}

// join takes part in the realm's gossip and DHT, as far as others let it.
func (s *Stranger) join(ctx context.Context) error {
	ps, err := pubsub.NewGossipSub(ctx, s.Host, pubsub.WithFloodPublish(true))
	if err != nil {
		return err
	}
	for _, name := range []string{api.TopicIntent(s.realm), api.TopicPeer(s.realm)} {
		t, err := ps.Join(name)
		if err != nil {
			return err
		}
		sub, err := t.Subscribe()
		if err != nil {
			return err
		}
		s.topics = append(s.topics, t)
		go func() {
			for {
				m, err := sub.Next(ctx)
				if err != nil {
					return
				}
				if m.ReceivedFrom != s.Host.ID() {
					s.heard.Add(1)
				}
			}
		}()
	}
	s.dht, err = dht.New(s.Host, dht.Mode(dht.ModeServer), dht.ProtocolPrefix(protocol.ID(api.ProtocolDHT(s.realm))), dht.DisableValues())
	return err
}

// Close ends the stranger.
func (s *Stranger) Close() error {
	s.cancel()
	var err error
	if s.dht != nil {
		err = s.dht.Close()
	}
	return errors.Join(err, s.Host.Close())
}

// Announce answers mDNS questions for Realm's service until the returned function
// is called.
func (s *Stranger) Announce() (stop func() error, err error) {
	m := mdns.NewMdnsService(s.Host, api.MDNSService, nobody{})
	return m.Close, m.Start()
}

type nobody struct{}

func (nobody) HandlePeerFound(peer.AddrInfo) {}

// TryDoors connects to a node at addr, a multiaddr with /p2p, again and again for a
// while, and lists the doors that were open. Words that must not be told to it are
// looked for in all that it is answered.
func (s *Stranger) TryDoors(ctx context.Context, addr string, tries int) ([]string, error) {
	to, err := peer.AddrInfoFromString(addr)
	if err != nil {
		return nil, fmt.Errorf("try doors: %w", err)
	}
	open := map[string]bool{}
	for range tries {
		// What the dialler sees of the handshake is no proof: over QUIC its side ends first.
		if err := s.Host.Connect(ctx, *to); err != nil {
			continue
		}
		for door, try := range s.doors() {
			if err := s.bounded(ctx, to.ID, try); err == nil {
				open[door] = true
			}
		}
	}
	// A connection that is kept is one, even if nothing is said on it.
	time.Sleep(answerWithin)
	if s.Host.Network().Connectedness(to.ID) == network.Connected {
		open["a connection that stays"] = true
	}
	if protocols, err := s.Host.Peerstore().GetProtocols(to.ID); err == nil && len(protocols) > 0 {
		open[fmt.Sprintf("identify (%v)", protocols)] = true
	}
	if n := s.heard.Load(); n > 0 {
		open[fmt.Sprintf("gossip (%d messages)", n)] = true
	}
	for _, t := range s.topics {
		if len(t.ListPeers()) > 0 {
			open["peers on "+t.String()] = true
		}
	}
	var out []string
	for door := range open {
		out = append(out, door)
	}
	return out, ctx.Err()
}

func (s *Stranger) bounded(ctx context.Context, p peer.ID, try func(context.Context, peer.ID) error) error {
	ctx, cancel := context.WithTimeout(network.WithNoDial(ctx, "the connection that there is"), answerWithin)
	defer cancel()
	return try(ctx, p)
}

// doors are what a member answers to another one; each succeeds if it was answered.
func (s *Stranger) doors() map[string]func(context.Context, peer.ID) error {
	doors := map[string]func(context.Context, peer.ID) error{
		"ping": func(ctx context.Context, p peer.ID) error { return (<-ping.Ping(ctx, s.Host, p)).Error },
		"dht": func(ctx context.Context, p peer.ID) error {
			digest, err := mh.Sum([]byte("anything"), mh.SHA2_256, -1)
			if err != nil {
				return err
			}
			found, err := s.dht.FindProviders(ctx, cid.NewCidV1(cid.Raw, digest))
			if err == nil && len(found) == 0 && s.dht.RoutingTable().Find(p) == "" {
				err = errors.New("nobody answered")
			}
			return err
		},
		"gossip to publish": func(ctx context.Context, p peer.ID) error {
			if len(s.topics[0].ListPeers()) == 0 {
				return errors.New("nobody listens")
			}
			return s.topics[0].Publish(ctx, []byte("{}"))
		},
	}
	for service, request := range map[api.Service]string{
		api.ServiceSync: "GET /intents", api.ServiceBlob: "GET /blobs/" + api.Sum(nil).String(), api.ServiceCall: "POST /functions/double",
		api.ServiceEnroll: "POST /enroll", "job": "GET /jobs", "node": "GET /status",
	} {
		doors[string(service)] = func(ctx context.Context, p peer.ID) error {
			return s.ask(ctx, p, protocol.ID(api.Protocol(s.realm, service)), request)
		}
	}
	doors["claim"] = func(ctx context.Context, p peer.ID) error { return s.ask(ctx, p, api.ProtocolClaim, "POST /claim") }
	return doors
}

// ask sends an HTTP request over a stream; any answer at all is success.
func (s *Stranger) ask(ctx context.Context, p peer.ID, id protocol.ID, request string) error {
	stream, err := s.Host.NewStream(ctx, p, id)
	if err != nil {
		return err
	}
	defer func() { _ = stream.Reset() }()
	if err := stream.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return err
	}
	method, path, _ := strings.Cut(request, " ")
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.String()+path, strings.NewReader("{}"))
	if err != nil {
		return err
	}
	if err := req.Write(stream); err != nil {
		return err
	}
	var b [1]byte
	_, err = io.ReadFull(stream, b[:])
	return err
}
