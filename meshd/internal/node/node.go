package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"golang.org/x/time/rate"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/meshd/internal/catchup"
	"github.com/realm-mesh/realm/meshd/internal/conduct"
	"github.com/realm-mesh/realm/meshd/internal/content"
	"github.com/realm-mesh/realm/meshd/internal/discovery"
	"github.com/realm-mesh/realm/meshd/internal/facts"
	"github.com/realm-mesh/realm/meshd/internal/gossip"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/neighbours"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
	"github.com/realm-mesh/realm/meshd/internal/records"
	"github.com/realm-mesh/realm/meshd/internal/streams"
)

// Node is one node of a realm: a member, or one that waits to be.
type Node struct {
	cfg    Config
	self   api.PeerID
	key    keys.Public
	keeper *intents.Keeper
	shown  []byte // proof, encoded

	host     *p2p.Host
	table    *facts.Table
	watch    *neighbours.Watch
	finder   *discovery.Finder
	gossip   *gossip.Gossip
	dht      *dht.IpfsDHT
	index    *content.Index
	client   *catchup.Client
	sync     *catchup.Runner
	conduct  *conduct.Book
	servers  []*streams.Server
	peers    http.Handler
	spread   *rate.Limiter
	outbound []*http.Transport

	pinned  keys.Public   // by Config.Repin; of watchTrust alone
	trust   chan struct{} // receives when somebody's say may have changed
	learned chan learning // from handshakes
	arrived chan arrival  // from gossip
	clients clients
	knocks  knocks
	twins   twins
	needed  needed
	heard   heard
	asked   atomic.Bool // a member was asked for all that it has, and has given it

	events      event.Subscription // of neighbours
	addrs       event.Subscription
	stopGossip  context.CancelFunc
	closeBefore []func() error // the host, newest last
}

// Open makes a node that listens. ctx bounds the opening alone. The caller must
// call [Node.Run], which closes the node at its end, or [Node.Close].
func Open(ctx context.Context, cfg Config) (_ *Node, err error) {
	n := &Node{
		cfg: cfg, keeper: cfg.Keeper, self: keys.Peer(cfg.Key.Public().(ed25519.PublicKey)), key: keys.PublicOf(cfg.Key),
		spread: rate.NewLimiter(rate.Every(respreadEach), respread),
		trust:  make(chan struct{}, 1), learned: make(chan learning, maxLearned), arrived: make(chan arrival, maxArrived),
		pinned: cfg.Pin.Owner,
	}
	if n.cfg.Records == nil {
		n.cfg.Records = records.New(n.self)
	}
	if err := n.show(); err != nil { //nolint:contextcheck // it waits for the disk alone
		return nil, err
	}
	me := n.me()
	n.conduct = conduct.New(conduct.Config{Changed: n.judged, Block: n.cutOff, Log: cfg.Log})
	n.host, err = p2p.New(p2p.Config{
		Key: cfg.Key, Realm: cfg.Pin.Realm, Roles: me.Roles, Version: me.Version,
		Proof: n.shown, Judge: n.judge, Knock: n.knocked,
		GuestProtocols: []protocol.ID{protocol.ID(api.Protocol(cfg.Pin.Realm, api.ServiceEnroll))},
	})
	if err != nil {
		return nil, err
	}
	if err := n.assemble(ctx, me); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	if err := cfg.Listen(ctx, n.host); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	n.setAddrs()
	return n, nil
}

// me is what this node says of itself, but for addresses.
func (n *Node) me() api.PeerFact {
	me := n.cfg.Fact
	me.Peer, me.Platform, me.Roles = n.self, runtime.GOOS+"/"+runtime.GOARCH, n.roles()
	return me
}

// assemble registers everything on the silent host.
func (n *Node) assemble(ctx context.Context, me api.PeerFact) (err error) {
	cfg := n.cfg
	n.table = facts.New(me, n.terms, time.Now())
	n.table.Load(cfg.Known)
	n.watch = neighbours.New(neighbours.Config{Host: n.host, Member: memberProtocol(cfg.Pin.Realm), Log: cfg.Log,
		Up: n.up, Down: n.down, RTT: n.rtt, Conflict: n.conflict})
	n.finder = discovery.New(discovery.Config{Host: n.host, Bootstrap: cfg.Bootstrap, Book: cfg.Book, MDNS: cfg.MDNS,
		Enough: p2p.MaxMesh, Stranger: n.shunned, Log: cfg.Log})
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
		Conduct: n.conduct, Member: n.isMember, Missed: n.sync.Soon,
		Topics: []gossip.Topic{
			{Name: api.TopicIntent(n.cfg.Pin.Realm), Max: api.MaxEnvelope, PassedOn: conduct.IntentsPassedOn, Said: conduct.IntentsSaid,
				Check: n.checkIntent, Deliver: n.deliverIntent},
			{Name: api.TopicPeer(n.cfg.Pin.Realm), Max: api.MaxMessage, PassedOn: conduct.FactsPassedOn, Said: conduct.FactsSaid,
				Check: n.checkFacts, Deliver: n.deliverFacts},
			{Name: api.TopicJob(n.cfg.Pin.Realm), Max: api.MaxMessage, PassedOn: conduct.RecordsPassedOn, Said: conduct.RecordsSaid,
				Check: n.checkRecords, Deliver: n.deliverRecords},
		},
	})
	return err
}

// Run is a node of the realm until ctx ends, or with [ErrReopen], and closes it.
func (n *Node) Run(ctx context.Context) error {
	fns := []func(context.Context) error{
		func(ctx context.Context) error { return n.watch.Run(ctx, n.events) },
		n.watchTrust, n.keepLearned, n.keepArrived, n.watchAddrs, n.watchListeners, n.gossipFacts, n.gossipRecords, n.pruneRecords,
		n.finder.Run, n.gossip.Run, n.sync.Run, n.index.Run, n.conduct.Run,
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
	n.needed.wake(true)
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

// ledger is the set of intents.
func (n *Node) ledger() *ledger.Ledger { return n.keeper.Ledger() }

// judged and cutOff are what follows from a peer's conduct.
func (n *Node) judged(p peer.ID, sentence string) {
	if id, err := p2p.ID(p); err == nil {
		n.table.Remark(id, func(r *facts.Remarks) { r.Conduct = sentence })
	}
}

func (n *Node) cutOff(p peer.ID) { n.host.Expel(p) }

// Table is what is known of all members.
func (n *Node) Table() *facts.Table { return n.table }

// Peers serves [api.RoutePeer].
func (n *Node) Peers() http.Handler { return n.peers }

// Addrs are where others can reach this node, with its peer id, likeliest first.
func (n *Node) Addrs() []string { return p2p.PasteAddrs(n.host) }

// Neighbours is how many members are connected.
func (n *Node) Neighbours() int { return n.table.Neighbours() }

// Intents is how many intents are held.
func (n *Node) Intents() int { return n.ledger().Len() }
