package content

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multihash"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

const (
	lookupTimeout  = time.Second
	provideTimeout = 20 * time.Second
	republishEvery = 12 * time.Hour // records expire after 48
	enough         = 3              // providers to look for; fewer neighbours than that are few
	maxAnnounced   = 64 << 10       // blobs; 32 bytes each
	maxHints       = 1024           // blobs
	maxProviders   = 64             // in one answer
	maxLookups     = 64             // that wait to be made
)

// Routing is the part of a DHT that is used here.
type Routing interface {
	Provide(ctx context.Context, key cid.Cid, announce bool) error
	FindProvidersAsync(ctx context.Context, key cid.Cid, count int) <-chan peer.AddrInfo
}

// Config says whom to ask.
type Config struct {
	Self    api.PeerID
	Routing Routing
	// Records are the providers of a key that others have announced to this node.
	Records func(ctx context.Context, key []byte) ([]peer.AddrInfo, error)
	// Neighbours are the connected members and their round-trip times; 0: not known.
	Neighbours func() map[api.PeerID]time.Duration
	MaxMesh    int // up to so many members, the neighbours are the whole realm
	Log        *slog.Logger
}

// Index knows who has what. It is safe for use by several goroutines.
type Index struct {
	cfg  Config
	wake chan struct{}
	look chan api.Digest // blobs to ask the DHT about while nobody waits

	mu       sync.Mutex
	hints    map[api.Digest]api.PeerID
	recent   []api.Digest // keys of hints, the oldest first
	found    map[api.Digest][]api.PeerID
	seen     []api.Digest // keys of found, the oldest first
	blobs    map[api.Digest]struct{}
	queue    []api.Digest // to be provided
	unheard  []api.Digest // could not be provided: nobody was there
	overfull bool
}

// New makes an Index. Announcements wait for [Index.Run].
func New(cfg Config) *Index {
	return &Index{cfg: cfg, wake: make(chan struct{}, 1), look: make(chan api.Digest, maxLookups),
		hints: map[api.Digest]api.PeerID{}, found: map[api.Digest][]api.PeerID{}, blobs: map[api.Digest]struct{}{}}
}

func key(d api.Digest) (cid.Cid, error) {
	mh, err := multihash.Encode(d[:], multihash.SHA2_256)
	if err != nil {
		return cid.Undef, fmt.Errorf("blob %s: %w", d.Short(), err)
	}
	return cid.NewCidV1(cid.Raw, mh), nil
}

// Hint takes note that p probably has a blob.
func (x *Index) Hint(blob api.Digest, p api.PeerID) {
	if p == x.cfg.Self || p == "" {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, known := x.hints[blob]; !known {
		x.recent = append(x.recent, blob)
	}
	x.hints[blob] = p
	if len(x.recent) > maxHints {
		delete(x.hints, x.recent[0])
		x.recent = slices.Delete(x.recent, 0, 1)
	}
}

// Providers lists members that may have a blob, the likeliest first, never this
// node itself.
func (x *Index) Providers(ctx context.Context, blob api.Digest) ([]api.PeerID, error) {
	k, err := key(blob)
	if err != nil {
		return nil, err
	}
	likely := x.likely(ctx, blob, k)
	near := x.cfg.Neighbours()
	if len(near) < enough || len(near) >= x.cfg.MaxMesh { // there may be others
		switch {
		case len(likely) == 0:
			likely = x.lookUp(ctx, k)
		case len(likely) < enough:
			x.lookLater(blob)
		}
	}
	return order(likely, near), nil
}

// lookLater has the DHT asked about a blob for the next time: who fetches asks again
// every few seconds, and somebody to begin with is known.
func (x *Index) lookLater(blob api.Digest) {
	select {
	case x.look <- blob:
	default: // the next time
	}
}

// lookAround asks the DHT about blobs until ctx ends.
func (x *Index) lookAround(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case blob := <-x.look:
			if k, err := key(blob); err == nil {
				x.keep(blob, x.lookUp(ctx, k))
			}
		}
	}
}

// keep remembers whom the DHT has named.
func (x *Index) keep(blob api.Digest, peers []api.PeerID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, known := x.found[blob]; !known {
		x.seen = append(x.seen, blob)
	}
	x.found[blob] = peers
	if len(x.seen) > maxHints {
		delete(x.found, x.seen[0])
		x.seen = slices.Delete(x.seen, 0, 1)
	}
}

// likely is who is said to have a blob, without asking anybody.
func (x *Index) likely(ctx context.Context, blob api.Digest, k cid.Cid) []api.PeerID {
	var out []api.PeerID
	x.mu.Lock()
	if p, ok := x.hints[blob]; ok {
		out = append(out, p)
	}
	for _, p := range x.found[blob] {
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	x.mu.Unlock()
	records, err := x.cfg.Records(ctx, k.Hash())
	if err != nil {
		x.cfg.Log.Debug("provider records", telemetry.KeyBlob, blob.Short(), telemetry.Error(err))
	}
	for _, ai := range records {
		out = x.add(out, ai.ID)
	}
	return out
}

// add appends another member to list, once.
func (x *Index) add(list []api.PeerID, p peer.ID) []api.PeerID {
	id, err := p2p.ID(p)
	if err != nil || id == x.cfg.Self || slices.Contains(list, id) {
		return list
	}
	return append(list, id)
}

// lookUp asks the DHT.
func (x *Index) lookUp(ctx context.Context, k cid.Cid) []api.PeerID {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	var out []api.PeerID
	for ai := range x.cfg.Routing.FindProvidersAsync(ctx, k, enough) {
		out = x.add(out, ai.ID)
	}
	return out
}

// order puts likely holders that are connected first, then the other neighbours,
// the nearest first, and last those that would have to be dialled.
func order(likely []api.PeerID, near map[api.PeerID]time.Duration) []api.PeerID {
	var out, far, rest []api.PeerID
	for _, p := range likely {
		if _, ok := near[p]; ok {
			out = append(out, p)
		} else {
			far = append(far, p)
		}
	}
	for p := range near {
		if !slices.Contains(likely, p) {
			rest = append(rest, p)
		}
	}
	slices.SortFunc(rest, func(a, b api.PeerID) int {
		switch ra, rb := near[a], near[b]; {
		case ra == rb:
			return 0
		case ra == 0: // not measured yet
			return 1
		case rb == 0 || ra < rb:
			return -1
		default:
			return 1
		}
	})
	out = slices.Concat(out, rest, far)
	return out[:min(len(out), maxProviders)]
}
