package fetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// Errors that callers branch on.
var (
	ErrNoProvider  = errors.New("no reachable member has it")
	ErrUnreachable = errors.New("the members that may have it do not answer")
)

// Config bounds a fetch.
type Config struct {
	Patience time.Duration // how long without any progress before it is given up
	Stall    time.Duration // how long a provider may send nothing
	Answer   time.Duration // how long one index or chunk may take in all
	AtOnce   int           // blobs fetched side by side
}

// DefaultConfig suits a mesh over the Internet.
func DefaultConfig() Config {
	return Config{Patience: time.Minute, Stall: 10 * time.Second, Answer: 2 * time.Minute, AtOnce: 4}
}

// Pauses between rounds in which every provider was away.
const (
	firstPause = 200 * time.Millisecond
	lastPause  = 5 * time.Second
)

// Providers says which members may have a blob, the likeliest first. No member is
// an answer, not an error.
type Providers func(ctx context.Context, blob api.Digest) ([]api.PeerID, error)

// Fetcher brings blobs into a store. It is safe for use by several goroutines.
type Fetcher struct {
	cfg       Config
	store     *store.Store
	providers Providers
	peers     peers
	log       *slog.Logger
	slots     chan struct{}

	mu      sync.Mutex
	flights map[api.Digest]*flight
}

// New returns a fetcher that reads from peers through client, whose host "meshd"
// reaches this node's meshd.
func New(cfg Config, s *store.Store, providers Providers, client *http.Client, log *slog.Logger) *Fetcher {
	return &Fetcher{cfg: cfg, store: s, providers: providers, peers: peers{client, cfg.Stall, cfg.Answer}, log: log,
		slots: make(chan struct{}, cfg.AtOnce), flights: map[api.Digest]*flight{}}
}

// flight is a fetch that several callers wait for.
type flight struct {
	done      chan struct{} // closed once the fields below are set
	info      api.BlobInfo
	err       error
	abandoned bool // its caller gave up: another goes on
}

// Fetch returns once the blob is here, whole. size is what the caller knows of it,
// or 0: a provider that tells another one is dropped before it sends anything. Errors: [ErrNoProvider],
// [ErrUnreachable], [disk.ErrFull], that of ctx.
func (f *Fetcher) Fetch(ctx context.Context, blob api.Digest, size int64) (api.BlobInfo, error) {
	for {
		if idx, err := f.store.Index(blob); err == nil {
			return idx.BlobInfo, nil
		}
		fl, first := f.join(blob)
		if first {
			f.lead(ctx, blob, size, fl)
			return fl.info, fl.err
		}
		select {
		case <-fl.done:
			if !fl.abandoned {
				return fl.info, fl.err
			}
		case <-ctx.Done():
			return api.BlobInfo{}, fmt.Errorf("fetch blob %s: %w", blob.Short(), ctx.Err())
		}
	}
}

func (f *Fetcher) join(blob api.Digest) (fl *flight, first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl, ok := f.flights[blob]; ok {
		return fl, false
	}
	fl = &flight{done: make(chan struct{})}
	f.flights[blob] = fl
	return fl, true
}

// lead fetches for all who wait for fl.
func (f *Fetcher) lead(ctx context.Context, blob api.Digest, size int64, fl *flight) {
	fl.abandoned = true // stands if fetch panics
	defer func() {
		f.mu.Lock()
		delete(f.flights, blob)
		f.mu.Unlock()
		close(fl.done)
	}()
	fl.info, fl.err = f.fetch(ctx, blob, size)
	if fl.err != nil {
		fl.err = fmt.Errorf("fetch blob %s: %w", blob.Short(), fl.err)
	}
	fl.abandoned = fl.err != nil && ctx.Err() != nil
}

func (f *Fetcher) fetch(ctx context.Context, blob api.Digest, size int64) (api.BlobInfo, error) {
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return api.BlobInfo{}, ctx.Err()
	}
	r := &run{Fetcher: f, blob: blob, size: size, out: map[api.PeerID]error{}, moved: time.Now()}
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := r.round(ctx)
		if err == nil {
			return r.info, nil
		}
		if ctx.Err() != nil {
			return api.BlobInfo{}, ctx.Err()
		}
		if !errors.Is(err, ErrUnreachable) || r.idle() > f.cfg.Patience {
			return api.BlobInfo{}, err
		}
		f.log.Debug("no provider answers; asking again", telemetry.KeyBlob, blob.String(), telemetry.Error(err))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return api.BlobInfo{}, ctx.Err()
		}
	}
}

// isLocal reports whether err is this node's own trouble, for which no provider
// is to blame and no other one can help.
func isLocal(err error) bool { return disk.IsFull(err) || errors.As(err, new(localError)) }

// localError is a failure of this node's store.
type localError struct{ error }

func (e localError) Unwrap() error { return e.error }
