package node

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/vigil"
	"github.com/realm-mesh/realm/meshd/internal/bridge"
	"github.com/realm-mesh/realm/meshd/internal/catchup"
	"github.com/realm-mesh/realm/meshd/internal/enroll"
	"github.com/realm-mesh/realm/meshd/internal/facts"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
	"github.com/realm-mesh/realm/meshd/internal/streams"
)

// openServices registers what peers can ask of this node, and makes what this
// node asks of them.
func (n *Node) openServices() {
	served := &catchup.Server{Ledger: n.ledger(), Facts: n.table, Records: n.cfg.Records, Conduct: n.conduct, Now: n.cfg.Now}
	desk := enroll.NewDesk(enroll.DeskConfig{Key: n.cfg.Key, Keeper: atDesk{n}, Host: n.host, Now: n.cfg.Now, Peers: n.toDial, Log: n.cfg.Log})
	inbound := map[api.Service]http.Handler{
		api.ServiceSync:   n.tellTwins(served.Handler()),
		api.ServiceEnroll: n.ifMember(desk.Handler()),
		api.ServiceBlob:   bridge.Blobs(n.cfg.Daemons, n.cfg.Log),
		api.ServiceCall:   n.cfg.Tracer.Joined("mesh in", bridge.Calls(n.cfg.Daemons, n.cfg.Log)),
		api.ServiceNode:   bridge.Accounts(n.cfg.Daemons, nodeWithin, n.cfg.Log),
		api.ServiceJob:    bridge.Jobs(n.cfg.Daemons, n.ofMember, n.cfg.Log),
	}
	for s, h := range inbound {
		n.servers = append(n.servers, streams.Listen(n.host, n.cfg.Pin.Realm, s, n.counted(s, true, h), n.cfg.Log))
	}
	blob := n.transport(api.ServiceBlob, blobHeaders)
	call := n.transport(api.ServiceCall, 0) // a program may think for as long as its deadline allows
	n.peers = bridge.Peers(n.self, map[api.Service]http.RoundTripper{
		api.ServiceBlob: countedTrips{blob, n, api.ServiceBlob},
		api.ServiceCall: countedTrips{vigil.Transport{Next: call, Probe: n.probe}, n, api.ServiceCall},
		api.ServiceNode: countedTrips{n.transport(api.ServiceNode, 0), n, api.ServiceNode},
		api.ServiceJob:  countedTrips{n.jobTrips(), n, api.ServiceJob},
	}, map[api.Service]time.Duration{api.ServiceNode: nodeAway}, n.cfg.Log)
	n.openSync()
}

// probe asks whether the member that a request goes to is there.
func (n *Node) probe(ctx context.Context, r *http.Request) error {
	p, err := peer.Decode(r.URL.Hostname())
	if err != nil {
		return err // the request has failed already
	}
	return n.watch.Probe(ctx, p)
}

// openSync makes what asks members for what they hold.
func (n *Node) openSync() {
	trips := hearTwins{countedTrips{n.transport(api.ServiceSync, syncHeaders), n, api.ServiceSync}, n}
	n.client = &catchup.Client{
		HTTP: &http.Client{Transport: trips}, Ledger: n.ledger(), Conduct: n.conduct, Now: n.cfg.Now,
		Accept: n.acceptSynced, Merge: n.mergeDirect, Met: n.met, Skew: n.skew, More: n.syncRecords,
	}
	cfg := catchup.Config{Client: n.client, Neighbours: n.watch.Members, Log: n.cfg.Log, Done: func(_ peer.ID, news int, err error) {
		if err == nil {
			n.asked.Store(true)
		}
		n.cfg.Observe.Sync(news, err)
	}}
	if n.cfg.Fresh {
		cfg.First = &catchup.First{Pin: n.cfg.Pin, Known: n.heard.count, Synced: n.cfg.Synced}
	}
	n.sync = catchup.NewRunner(cfg)
}

func (n *Node) transport(s api.Service, headers time.Duration) *http.Transport {
	t := streams.NewTransport(n.host, n.cfg.Pin.Realm, s, headers)
	n.outbound = append(n.outbound, t)
	return t
}

// skew takes note of a member's clock.
func (n *Node) skew(p peer.ID, d time.Duration) {
	if id, err := p2p.ID(p); err == nil {
		n.table.Remark(id, func(r *facts.Remarks) { r.Skew = d })
	}
}

// ifMember keeps a node that is no member itself from letting others in.
func (n *Node) ifMember(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m, ok := n.ledger().Member(n.key, n.cfg.Now()); !ok || m.Standing != api.StandingMember {
			local.WriteError(w, http.StatusServiceUnavailable, errors.New("this node is no member itself: ask another one"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// atDesk keeps what the desk lets in, and tells everybody of it.
type atDesk struct{ *Node }

// Ledger implements [enroll.Keeper].
func (d atDesk) Ledger() *ledger.Ledger { return d.ledger() }

// Accept implements [enroll.Keeper].
func (d atDesk) Accept(all []intent.Signed, by intents.Source) (ledger.Change, []error) {
	c, errs := d.accept(by, all, func(int) peer.ID { return "" })
	d.tellAll(c.Added)
	return c, errs
}

// toDial are members for one that has just joined: this one, and whom it is connected to.
func (n *Node) toDial() []api.PeerFact {
	return append([]api.PeerFact{n.table.Me()}, n.table.Members(api.MaxPeerList-1)...)
}
