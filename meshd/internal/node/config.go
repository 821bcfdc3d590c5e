package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/trace"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/gossip"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/records"
)

const (
	stopGrace    = 3 * time.Second        // for requests of peers in flight
	coalesce     = 80 * time.Millisecond  // changes of facts that follow each other closely are one message
	blobHeaders  = 30 * time.Second       // casd answers from disk
	syncHeaders  = 20 * time.Second       // memory and a few disk reads
	nodeWithin   = 5 * time.Second        // runnerd tells what it knows, and the end of a log
	nodeAway     = 2 * nodeWithin         // the same of another member, which may have to be dialled
	respread     = 16                     // intents learnt by sync that are gossiped again, at once …
	respreadEach = 500 * time.Millisecond // … and one more each so long
)

// ErrReopen is how [Node.Run] ends when the node should be opened again: what it shows
// of itself in handshakes has been overtaken by what the realm says of it now.
var ErrReopen = errors.New("the node has another membership to show")

// Observer is told what happens, for metrics. Its functions must not block.
type Observer struct {
	Gossip func(topic string, v gossip.Verdict)
	Intent func(source string, news bool, err error) // by intents.Source
	Sync   func(news int, err error)
	Stream func(s api.Service, inbound bool) // a request
}

// Config says which node of a realm to be.
type Config struct {
	Key ed25519.PrivateKey
	Pin trust.Pin
	// Keeper holds the intents. It outlives the node, which its owner has told of
	// changes by [Node.Changed].
	Keeper *intents.Keeper
	Now    func() time.Time // the node's clock, which never goes back
	// Proof is what the node has been given to show of its membership; it was a member
	// once if there are intents in it. What Keeper knows is shown instead where that
	// is more, unless it is a client's.
	Proof api.Proof
	// Fresh: the node has never been brought up to date. Synced is called once it has.
	Fresh  bool
	Synced func()
	// Repin keeps the key of the owner, when it has been replaced.
	Repin func(trust.Pin) error

	// Records are those of jobs. They outlive the node, as the keeper does; nil: the node
	// begins with none.
	Records *records.Shelf

	Fact      api.PeerFact // Peer and Addrs are filled in; Roles are those of the settings
	Bootstrap []peer.AddrInfo
	Book      string // file of known members
	MDNS      bool
	Daemons   http.RoundTripper // reaches the sockets of this node's daemons
	Tracer    *trace.Tracer     // nil: nothing is traced
	Known     []api.PeerRecord  // members that were known before this process started
	Log       *slog.Logger
	Observe   Observer
	// Listen opens the host's port; [p2p.Listen] with one.
	Listen func(ctx context.Context, h host.Host) error
}
