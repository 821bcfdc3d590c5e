package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/time/rate"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/bridge"
	"github.com/realm-mesh/realm/meshd/internal/catchup"
	"github.com/realm-mesh/realm/meshd/internal/content"
	"github.com/realm-mesh/realm/meshd/internal/discovery"
	"github.com/realm-mesh/realm/meshd/internal/facts"
	"github.com/realm-mesh/realm/meshd/internal/gossip"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/neighbours"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
	"github.com/realm-mesh/realm/meshd/internal/streams"
)

const (
	stopGrace    = 3 * time.Second        // for requests of peers in flight
	acceptWithin = 10 * time.Second       // one acceptance, disk included
	coalesce     = 80 * time.Millisecond  // changes of facts that follow each other closely are one message
	blobHeaders  = 30 * time.Second       // casd answers from disk
	syncHeaders  = 20 * time.Second       // memory and a few disk reads
	respread     = 16                     // intents learnt by sync that are gossiped again, at once …
	respreadEach = 500 * time.Millisecond // … and one more each so long
)

// Observer is told what happens, for metrics. Its functions must not block.
type Observer struct {
	Gossip func(topic string, v gossip.Verdict)
	Intent func(source string, news bool, err error) // submit, gossip, sync
	Sync   func(news int, err error)
	Stream func(s api.Service, inbound bool) // a request
}

// Config says which member to be.
type Config struct {
	Key       ed25519.PrivateKey
	Pin       trust.Pin
	Fact      api.PeerFact // Peer and Addrs are filled in
	Bootstrap []peer.AddrInfo
	Book      string // file of known members
	MDNS      bool
	Store     intents.Store
	Marks     intents.Marks
	Room      func(n int64) error
	Daemons   http.RoundTripper // reaches the sockets of this node's daemons
	Known     []api.PeerRecord  // members that were known before this process started
	Log       *slog.Logger
	Observe   Observer
	// Listen opens the host's port; [p2p.Listen] with one.
	Listen func(ctx context.Context, h host.Host) error
}

// Node is one member of a realm.
type Node struct {
	cfg  Config
	self api.PeerID

	host     host.Host
	ledger   *intents.Ledger
	table    *facts.Table
	watch    *neighbours.Watch
	finder   *discovery.Finder
	gossip   *gossip.Gossip
	dht      *dht.IpfsDHT
	index    *content.Index
	sync     *catchup.Runner
	servers  []*streams.Server
	peers    http.Handler
	spread   *rate.Limiter
	outbound []*http.Transport

	events      event.Subscription // of neighbours
	addrs       event.Subscription
	stopGossip  context.CancelFunc
	closeBefore []func() error // the host, newest last
}

// Open makes a member that listens. ctx bounds the opening alone. The caller must
// call [Node.Run], which closes the member at its end, or [Node.Close].
func Open(ctx context.Context, cfg Config) (_ *Node, err error) {
	n := &Node{cfg: cfg, self: keys.Peer(cfg.Key.Public().(ed25519.PublicKey)), spread: rate.NewLimiter(rate.Every(respreadEach), respread)}
	n.ledger, err = intents.Open(ctx, intents.Config{Pin: cfg.Pin, Store: cfg.Store, Marks: cfg.Marks, Room: cfg.Room, Log: cfg.Log})
	if err != nil {
		return nil, err
	}
	n.host, err = p2p.New(p2p.Config{Key: cfg.Key, Realm: cfg.Pin.Realm, Roles: cfg.Fact.Roles, Version: cfg.Fact.Version,
		Judge: func(peer.ID, []byte) p2p.Standing { return p2p.Member }})
	if err != nil {
		return nil, err
	}
	if err := n.assemble(ctx); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	if err := cfg.Listen(ctx, n.host); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	n.setAddrs()
	return n, nil
}

// assemble registers everything on the silent host.
func (n *Node) assemble(ctx context.Context) (err error) {
	cfg := n.cfg
	me := cfg.Fact
	me.Peer, me.Platform = n.self, runtime.GOOS+"/"+runtime.GOARCH
	n.table = facts.New(me, time.Now())
	n.table.Load(cfg.Known)
	n.watch = neighbours.New(neighbours.Config{Host: n.host, Member: memberProtocol(cfg.Pin.Realm), Log: cfg.Log, Up: n.up, Down: n.down, RTT: n.rtt})
	n.finder = discovery.New(discovery.Config{Host: n.host, Bootstrap: cfg.Bootstrap, Book: cfg.Book, MDNS: cfg.MDNS,
		Enough: p2p.MaxMesh, Stranger: n.watch.IsStranger, Log: cfg.Log})
	if n.events, err = n.watch.Subscribe(); err != nil {
		return err
	}
	n.closeBefore = append(n.closeBefore, n.events.Close)
	if n.addrs, err = n.host.EventBus().Subscribe(new(event.EvtLocalAddressesUpdated)); err != nil {
		return fmt.Errorf("watch addresses: %w", err)
	}
	n.closeBefore = append(n.closeBefore, n.addrs.Close)
	if n.dht, err = content.NewDHT(n.host, cfg.Pin.Realm); err != nil {
		return err
	}
	n.closeBefore = append(n.closeBefore, n.dht.Close)
	n.index = content.New(content.Config{Self: n.self, Routing: n.dht, Records: n.dht.ProviderStore().GetProviders,
		Neighbours: n.table.RTTs, MaxMesh: p2p.MaxMesh, Log: cfg.Log})
	n.openServices()
	return n.joinGossip(ctx)
}

func (n *Node) joinGossip(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx)) // ends with Close, after the loops
	n.stopGossip = cancel
	n.gossip, err = gossip.Join(ctx, n.host, gossip.Config{
		Realm: n.cfg.Pin.Realm, Log: p2p.Quiet(ctx, n.cfg.Log), Count: n.cfg.Observe.Gossip,
		Topics: []gossip.Topic{
			{Name: api.TopicIntent(n.cfg.Pin.Realm), Check: n.checkIntent, Deliver: n.deliverIntent},
			{Name: api.TopicPeer(n.cfg.Pin.Realm), Check: n.checkFacts, Deliver: n.deliverFacts},
		},
	})
	return err
}

// openServices registers what peers can ask of this node, and makes what this
// node asks of them.
func (n *Node) openServices() {
	inbound := map[api.Service]http.Handler{
		api.ServiceSync: catchup.Handler(n.ledger, n.table),
		api.ServiceBlob: bridge.Blobs(n.cfg.Daemons, n.cfg.Log),
		api.ServiceCall: bridge.Calls(n.cfg.Daemons, n.cfg.Log),
	}
	for s, h := range inbound {
		n.servers = append(n.servers, streams.Listen(n.host, n.cfg.Pin.Realm, s, n.counted(s, true, h), n.cfg.Log))
	}
	blob := n.transport(api.ServiceBlob, blobHeaders)
	call := n.transport(api.ServiceCall, 0) // a program may think for as long as its deadline allows
	n.peers = bridge.Peers(n.self, map[api.Service]http.RoundTripper{
		api.ServiceBlob: countedTrips{blob, n, api.ServiceBlob},
		api.ServiceCall: countedTrips{call, n, api.ServiceCall},
	}, n.cfg.Log)
	client := &catchup.Client{
		HTTP:   &http.Client{Transport: countedTrips{n.transport(api.ServiceSync, syncHeaders), n, api.ServiceSync}},
		Ledger: n.ledger, Accept: n.acceptSynced, Merge: n.mergeDirect, Met: n.met,
	}
	n.sync = catchup.NewRunner(client, n.watch.Members, func(_ peer.ID, news int, err error) { n.cfg.Observe.Sync(news, err) }, n.cfg.Log)
}

func (n *Node) transport(s api.Service, headers time.Duration) *http.Transport {
	t := streams.NewTransport(n.host, n.cfg.Pin.Realm, s, headers)
	n.outbound = append(n.outbound, t)
	return t
}

// Run is a member until ctx ends, and closes it.
func (n *Node) Run(ctx context.Context) error {
	fns := []func(context.Context) error{
		func(ctx context.Context) error { return n.watch.Run(ctx, n.events) },
		n.watchAddrs, n.watchListeners, n.finder.Run, n.gossip.Run, n.gossipFacts, n.sync.Run, n.index.Run,
	}
	for _, s := range n.servers {
		fns = append(fns, func(ctx context.Context) error { return s.Run(ctx, stopGrace) })
	}
	return errors.Join(task.Run(ctx, fns...), n.Close())
}

// Close says goodbye to everybody. Closing twice is closing once.
func (n *Node) Close() error {
	for _, t := range n.outbound {
		t.CloseIdleConnections()
	}
	if n.stopGossip != nil {
		n.stopGossip()
	}
	var errs []error
	for _, end := range slices.Backward(n.closeBefore) {
		errs = append(errs, end())
	}
	n.closeBefore = nil
	return errors.Join(append(errs, n.host.Close())...)
}

// Table is what is known of all members.
func (n *Node) Table() *facts.Table { return n.table }

// Peers serves [api.RoutePeer].
func (n *Node) Peers() http.Handler { return n.peers }

// Addrs are where others can reach this member, with its peer id, likeliest first.
func (n *Node) Addrs() []string { return p2p.PasteAddrs(n.host) }

// Neighbours is how many members are connected.
func (n *Node) Neighbours() int { return n.watch.Count() }

// Intents is how many intents are held.
func (n *Node) Intents() int { return n.ledger.Count() }
