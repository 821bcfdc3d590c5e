package catchup

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// Interval is how often a node asks one of its neighbours without any occasion,
// give or take a quarter.
const Interval = 30 * time.Second

const (
	roundTimeout = time.Minute
	retryFirst   = 250 * time.Millisecond // after a round that failed with a member that is there
	retries      = 4                      // of one occasion; after them the next interval has to do
	maxQueue     = 1024
)

// Runner decides whom to ask when.
type Runner struct {
	client     *Client
	neighbours func() []peer.ID
	done       func(p peer.ID, news int, err error) // after every round
	log        *slog.Logger

	queue chan peer.ID
	mu    sync.Mutex
	due   map[peer.ID]struct{} // in the queue already
}

// NewRunner makes a Runner. neighbours lists who can be asked; done is told how
// each round went.
func NewRunner(c *Client, neighbours func() []peer.ID, done func(p peer.ID, news int, err error), log *slog.Logger) *Runner {
	return &Runner{client: c, neighbours: neighbours, done: done, log: log, queue: make(chan peer.ID, maxQueue), due: map[peer.ID]struct{}{}}
}

// Ask has p asked as soon as possible. It does not block.
func (r *Runner) Ask(p peer.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, queued := r.due[p]; queued {
		return
	}
	select {
	case r.queue <- p:
		r.due[p] = struct{}{}
	default: // so many at once: the next interval has to do
	}
}

// workers is how many members are asked at the same time.
const workers = 4

// Run asks until ctx ends.
func (r *Runner) Run(ctx context.Context) error {
	fns := []func(context.Context) error{r.anybody}
	for range workers {
		fns = append(fns, r.work)
	}
	return task.Run(ctx, fns...)
}

func (r *Runner) work(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case p := <-r.queue:
			r.mu.Lock()
			delete(r.due, p)
			r.mu.Unlock()
			r.round(ctx, p)
		}
	}
}

// round asks p for everything, again a few times if that fails.
func (r *Runner) round(ctx context.Context, p peer.ID) {
	wait := retryFirst
	for range retries {
		err := r.Round(ctx, p)
		if err == nil || ctx.Err() != nil {
			return
		}
		r.log.Debug("sync", telemetry.KeyPeer, p, telemetry.Error(err))
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
			wait *= 2
		}
		if !slices.Contains(r.neighbours(), p) {
			return
		}
	}
}

// Round asks p for everything once.
func (r *Runner) Round(ctx context.Context, p peer.ID) error {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	// Intents first: programs wait for them. A failure of one kind says nothing
	// about the others.
	news, err := r.client.Intents(ctx, p)
	err = errors.Join(err, r.client.Facts(ctx, p), r.client.Peers(ctx, p))
	r.done(p, news, err)
	return err
}

// anybody asks one neighbour now and then.
func (r *Runner) anybody(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(Interval*3/4 + rand.N(Interval/2)):
		}
		if all := r.neighbours(); len(all) > 0 {
			r.Ask(all[rand.IntN(len(all))])
		}
	}
}
