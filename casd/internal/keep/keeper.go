package keep

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/task"
)

// Watcher is a bucket of the bus; [bus.Bucket] is one.
type Watcher interface {
	Watch(ctx context.Context, pattern string, fn func(bus.Event) error) error
}

// Parts are what a [Keeper] works with.
type Parts struct {
	// Has reports whether a blob is here, whole.
	Has func(blob api.Digest) bool
	// Info describes a blob that is here.
	Info func(blob api.Digest) (api.BlobInfo, error)
	// Fetch brings a blob of this size (0: not known) from other members, as something
	// that can wait. It returns at once where the blob is here.
	Fetch func(ctx context.Context, blob api.Digest, size int64) (api.BlobInfo, error)
	// Announce tells the mesh that a blob is here. It does not wait.
	Announce func(blobs ...api.Digest)
	// Providers says which members may have a blob, the likeliest first.
	Providers func(ctx context.Context, blob api.Digest) ([]api.PeerID, error)
	Client    *http.Client // reaches meshd
	// Peers and Workloads open [api.BucketPeers] and [api.BucketWorkloads].
	Peers, Workloads func(context.Context) (Watcher, error)
	Metrics          prometheus.Registerer
	Log              *slog.Logger
}

// Keeper knows what the realm needs, and keeps this node's part of it. It is safe for
// use by several goroutines.
type Keeper struct {
	cfg     Config
	parts   Parts
	metrics metrics

	wake      chan struct{} // holds a token while there may be something to plan or to fetch
	wakeCheck chan struct{} // … or to check
	knowsSelf chan struct{} // closed when this node's peer id is known
	planned   chan struct{} // closed when the keepers are known for the first time

	mu      sync.Mutex
	needs   *needs
	known   bool // needs is what meshd says, or has said last
	roster  *roster
	synced  bool // all members were told that there are
	runs    *runs
	all     []candidate // by which everything was planned last
	holding map[api.Digest]*holding
	round   uint // of planning
	stirred stirred
	fetches agenda
	running int // fetches
	serial  int // of blobs that began to lack
	checks  agenda
	goes    going
}

// New returns a keeper that knows nothing. [Keeper.Load] comes first, then [Keeper.Run].
func New(cfg Config, p Parts) *Keeper {
	k := &Keeper{
		cfg: cfg, parts: p, wake: make(chan struct{}, 1), wakeCheck: make(chan struct{}, 1), knowsSelf: make(chan struct{}), planned: make(chan struct{}),
		needs: newNeeds("", nil), roster: newRoster(cfg.Patience), runs: newRuns(), holding: map[api.Digest]*holding{},
	}
	k.metrics = newMetrics(p.Metrics, k)
	return k
}

// Run keeps blobs until ctx ends. It returns early when there is no right to read a
// bucket.
func (k *Keeper) Run(ctx context.Context) error {
	return task.Run(ctx, k.follow, k.watchMembers, k.watchRuns, k.repair, k.check)
}

// Register serves [api.RouteBlobCopies].
func (k *Keeper) Register(mux *http.ServeMux) { mux.HandleFunc(api.RouteBlobCopies, k.serveCopies) }

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has not been looked at since the last time
	}
}

// stirred is what has changed and was not planned for yet.
type stirred struct {
	needs       bool
	members     bool
	since, last time.Time // of members
	look        bool      // what is here may be gone
}

// stirMembers notes that members have changed.
func (s *stirred) stirMembers(now time.Time) {
	if !s.members {
		s.members, s.since = true, now
	}
	s.last = now
}

// due is when to plan; false: nothing has changed.
func (s *stirred) due(cfg *Config, planned bool) (at time.Time, yes bool) {
	if planned && (s.needs || s.look) {
		return time.Time{}, true
	}
	at = s.last.Add(cfg.Quiet)
	if latest := s.since.Add(cfg.Unquiet); latest.Before(at) {
		at = latest
	}
	return at, s.members
}
