package fetch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

const (
	chunksAtOnce = 4
	// mendings is how often chunks that landed may turn out lost before the disk is
	// given up.
	mendings = 3
)

// How a provider can fail; what is neither is a provider that is away.
var (
	errLie    = errors.New("sent what it should not")
	errLacks  = errors.New("does not have it")
	errDiffer = errors.New("has another index than the one begun with")
)

// run is one fetch on its way.
type run struct {
	*Fetcher
	blob api.Digest
	size int64                // as the caller knows it; 0: not at all
	info api.BlobInfo         // set at the end
	out  map[api.PeerID]error // members that are not asked again, and why

	mu    sync.Mutex
	moved time.Time // when a chunk last landed
}

func (r *run) idle() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Since(r.moved)
}

func (r *run) progress() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moved = time.Now()
}

// round asks every provider once, until one has completed the blob. Errors:
// [ErrNoProvider] when asking again is of no use, [ErrUnreachable] when it may be,
// or a local one.
func (r *run) round(ctx context.Context) error {
	all, err := r.providers(ctx, r.blob)
	if err != nil {
		return fmt.Errorf("%w: ask the mesh for members: %w", ErrUnreachable, err)
	}
	if len(all) == 0 {
		return fmt.Errorf("%w: push it again, or start a member that has it", ErrNoProvider)
	}
	away := map[api.PeerID]error{}
	var differ []api.PeerID
	for _, p := range all {
		if r.out[p] != nil {
			continue
		}
		err := r.ask(ctx, p, false)
		if errors.Is(err, errDiffer) {
			differ = append(differ, p)
			continue
		}
		if over := r.judge(ctx, p, err, away); over {
			return err
		}
	}
	// Who agrees with what was begun could not finish it: begin anew with the others.
	for _, p := range differ {
		err := r.ask(ctx, p, true)
		if over := r.judge(ctx, p, err, away); over {
			return err
		}
	}
	if len(away) > 0 {
		return fmt.Errorf("%w: %s", ErrUnreachable, explain(away))
	}
	return fmt.Errorf("%w: %s", ErrNoProvider, explain(r.out))
}

// judge reports whether the round is over with err, and else notes what p's
// failure means.
func (r *run) judge(ctx context.Context, p api.PeerID, err error, away map[api.PeerID]error) (over bool) {
	switch {
	case err == nil, isLocal(err), ctx.Err() != nil:
		return true
	case errors.Is(err, errLie):
		r.out[p] = err
		r.log.Warn("dropped a member that sends wrong bytes", telemetry.KeyPeer, p.String(), telemetry.KeyBlob, r.blob.String(), telemetry.Error(err))
	case errors.Is(err, errLacks):
		r.out[p] = err
	default:
		away[p] = err
	}
	return false
}

// explain lists what went wrong with whom.
func explain(errs map[api.PeerID]error) string {
	var out []string
	for p, err := range errs {
		out = append(out, p.Short()+": "+err.Error())
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// ask completes the blob with what provider p has. With anew, p's index replaces
// a different one that an earlier provider gave.
func (r *run) ask(ctx context.Context, p api.PeerID, anew bool) error {
	idx, err := r.peers.index(ctx, p, r.blob)
	if err != nil {
		return err
	}
	if r.size > 0 && idx.Size != r.size {
		return fmt.Errorf("%w: an index of %d bytes, want %d", errLie, idx.Size, r.size)
	}
	begun, err := r.store.Partial(r.blob)
	switch {
	case err == nil && !slices.Equal(begun.Chunks, idx.Chunks) && !anew:
		return errDiffer
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return localError{err}
	}
	if err := r.store.Begin(idx); err != nil {
		return localError{err}
	}
	for range mendings {
		if err = r.chunks(ctx, p, idx); err != nil {
			return err
		}
		if err = r.store.Complete(ctx, idx); !errors.Is(err, store.ErrDamaged) {
			break
		}
	}
	switch {
	case errors.Is(err, store.ErrMismatch):
		if err := r.store.Abandon(r.blob); err != nil {
			return localError{err}
		}
		return fmt.Errorf("%w: %w", errLie, err)
	case err != nil:
		return localError{err}
	}
	r.info = idx.BlobInfo
	return nil
}

// chunks fetches the chunks of idx that are not here, a few side by side.
func (r *run) chunks(ctx context.Context, p api.PeerID, idx api.BlobIndex) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(chunksAtOnce)
	for _, c := range r.store.Missing(idx) {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			return task.Guard(ctx, func(ctx context.Context) error { return r.chunk(ctx, p, c) })
		})
	}
	return g.Wait()
}

func (r *run) chunk(ctx context.Context, p api.PeerID, c api.BlobInfo) error {
	b, err := r.peers.chunk(ctx, p, c)
	if err != nil {
		return err
	}
	if err := r.store.PutChunk(c, b); err != nil {
		return localError{err}
	}
	r.progress()
	return nil
}
