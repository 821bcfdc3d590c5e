package fetch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/share"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/internal/kit/disk"
)

// Errors that callers branch on.
var (
	ErrNoProvider  = errors.New("no reachable member has it")
	ErrUnreachable = errors.New("the members that may have it do not answer")
)

// Config bounds a fetch.
type Config struct {
	Patience  time.Duration // how long without any progress before it is given up
	Stall     time.Duration // how long a member may send nothing
	Busy      time.Duration // how long a chunk is left to another member that says it fetches it
	Answer    time.Duration // how long one index or batch of chunks may take in all
	Seek      time.Duration // how often meshd is asked for more members
	AtOnce    int           // blobs fetched side by side
	LowAtOnce int           // of these that nobody waits for
}

// DefaultConfig suits a mesh over the Internet.
func DefaultConfig() Config {
	return Config{Patience: time.Minute, Stall: 10 * time.Second, Busy: busyPatience, Answer: 2 * time.Minute, Seek: 3 * time.Second, AtOnce: 8, LowAtOnce: 2}
}

// Providers says which members may have a blob, the likeliest first. No member is
// an answer, not an error.
type Providers func(ctx context.Context, blob api.Digest) ([]api.PeerID, error)

// Parts are what a fetcher works with.
type Parts struct {
	Store     *store.Store
	Providers Providers
	Client    *http.Client // its host "meshd" reaches this node's meshd
	Downloads *share.Queue // each batch of chunks is a turn, of the blob
	Metrics   *Metrics
	// Begun is told once of a blob of which the first chunk has come: from then on
	// this node can pass it on.
	Begun func(api.Digest)
	// Landed is told of each chunk that has come, and was right.
	Landed func(api.Digest)
	Log    *slog.Logger
}

// Fetcher brings blobs into a store. It is safe for use by several goroutines.
type Fetcher struct {
	cfg   Config
	parts Parts
	peers peers
	slots slots

	mu        sync.Mutex
	transfers map[api.Digest]*transfer
}

// New returns a fetcher.
func New(cfg Config, p Parts) *Fetcher {
	return &Fetcher{cfg: cfg, parts: p, peers: peers{client: p.Client, stall: cfg.Stall, answer: cfg.Answer},
		slots: newSlots(cfg), transfers: map[api.Digest]*transfer{}}
}

// Fetch returns once the blob is here, whole. size is what the caller knows of it,
// or 0: members that tell another one are dropped before they send anything. Errors: [ErrNoProvider],
// [ErrUnreachable], [disk.ErrFull], that of ctx.
func (f *Fetcher) Fetch(ctx context.Context, blob api.Digest, size int64) (api.BlobInfo, error) {
	return f.fetch(ctx, blob, size, false)
}

// FetchLow is [Fetcher.Fetch] for what nobody waits for: it gives way to others.
func (f *Fetcher) FetchLow(ctx context.Context, blob api.Digest, size int64) (api.BlobInfo, error) {
	return f.fetch(ctx, blob, size, true)
}

func (f *Fetcher) fetch(ctx context.Context, blob api.Digest, size int64, low bool) (api.BlobInfo, error) {
	for {
		if idx, err := f.parts.Store.Index(blob); err == nil {
			return idx.BlobInfo, nil
		}
		if err := ctx.Err(); err != nil {
			return api.BlobInfo{}, fmt.Errorf("fetch blob %s: %w", blob.Short(), err)
		}
		t, joined := f.join(ctx, blob, size, low)
		if !joined { // it is ending: nobody waits for it any more
			<-t.done
			continue
		}
		select {
		case <-t.done:
			return t.info, t.err
		case <-ctx.Done():
			f.leave(t, low)
			return api.BlobInfo{}, fmt.Errorf("fetch blob %s: %w", blob.Short(), ctx.Err())
		}
	}
}

// join has one more caller wait for a blob's transfer, which begins if there is none.
func (f *Fetcher) join(ctx context.Context, blob api.Digest, size int64, low bool) (t *transfer, joined bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t, running := f.transfers[blob]
	if !running {
		t = newTransfer(f, blob, size)
		f.transfers[blob] = t
	}
	if !t.enter(low) {
		return t, false
	}
	if !running {
		ctx, t.cancel = context.WithCancel(context.WithoutCancel(ctx))
		go f.run(ctx, t)
	}
	return t, true
}

// leave takes back a caller. The last one ends the transfer, and waits until it has
// ended.
func (f *Fetcher) leave(t *transfer, low bool) {
	if t.exit(low) {
		t.cancel()
		<-t.done
	}
}

// run is a transfer, from its beginning to its end.
func (f *Fetcher) run(ctx context.Context, t *transfer) {
	defer close(t.done)
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.transfers, t.blob)
	}()
	defer t.cancel()
	t.err = errPanicked // stands if run panics
	t.info, t.err = t.run(ctx)
	if t.err != nil {
		t.err = fmt.Errorf("fetch blob %s: %w", t.blob.Short(), t.err)
	}
}

// Transfers tells of the fetches that are going on, the oldest first.
func (f *Fetcher) Transfers() []api.Transfer {
	f.mu.Lock()
	all := make([]*transfer, 0, len(f.transfers))
	for _, t := range f.transfers {
		all = append(all, t)
	}
	f.mu.Unlock()
	slices.SortFunc(all, func(a, b *transfer) int { return a.began.Compare(b.began) })
	out := make([]api.Transfer, len(all))
	for i, t := range all {
		out[i] = t.report(time.Now())
	}
	return out
}

// isLocal reports whether err is this node's own trouble, for which no member is to
// blame and no other one can help.
func isLocal(err error) bool { return disk.IsFull(err) || errors.As(err, new(localError)) }

// localError is a failure of this node's store.
type localError struct{ error }

func (e localError) Unwrap() error { return e.error }
