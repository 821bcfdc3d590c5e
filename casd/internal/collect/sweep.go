package collect

import (
	"context"
	"errors"
	"fmt"
	"math"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

const (
	// batch is the most blobs that are removed at once: pins wait meanwhile.
	batch = 256
	// asked is of how many blobs keepers are asked side by side; what they confirm is
	// removed before the next ones are asked about, for it does not hold for long.
	asked = 8
)

// ErrUnknown says that nothing can be collected yet.
var ErrUnknown = errors.New("what the realm needs is not known yet, so nothing is collected: try again when meshd is up")

// swept is what a collection has removed, or would.
type swept struct {
	blobs []api.BlobInfo
	freed int64 // bytes
}

// remover removes blobs, or some of them, and adds what it did to got.
type remover func(ctx context.Context, got *swept, blobs []candidate) error

// Collect frees what is asked for, as far as there is something that may go.
func (c *Collector) Collect(ctx context.Context, req api.CollectRequest) (api.CollectReply, error) {
	if !c.refs.Known() {
		return api.CollectReply{}, ErrUnknown
	}
	if !req.DryRun { // which keeps nobody from collecting
		end, err := c.begin(ctx)
		if err != nil {
			return api.CollectReply{}, fmt.Errorf("collect: %w", err)
		}
		defer end()
		defer c.soon()
	}
	want := req.Free
	if want == 0 {
		want = math.MaxInt64
	}
	remove, most, sure := c.remove, batch, asked
	if req.DryRun {
		remove, most, sure = c.pretend(), math.MaxInt, math.MaxInt // each call measures the store
	}
	var got swept
	if !req.DryRun {
		defer c.tell(&got)
	}
	p, err := c.plan()
	if err == nil {
		err = c.sweep(ctx, &got, p.idle, want, most, remove)
	}
	if err == nil {
		err = c.sweep(ctx, &got, p.spare, want, sure, c.confirmed(remove))
	}
	if err != nil {
		return api.CollectReply{}, fmt.Errorf("collect: %w", err)
	}
	shown := got.blobs[:min(len(got.blobs), api.MaxCollected)]
	return api.CollectReply{Freed: got.freed, Blobs: shown, More: len(got.blobs) - len(shown)}, nil
}

// sweep removes blobs of a list, from its start, until want bytes are free or the list
// ends, at most so many at once.
func (c *Collector) sweep(ctx context.Context, got *swept, list []candidate, want int64, most int, remove remover) error {
	for len(list) > 0 && got.freed < want {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, size := 0, int64(0)
		for n < min(len(list), most) && size < want-got.freed {
			size += list[n].has
			n++
		}
		if err := remove(ctx, got, list[:n]); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}

// remove is the [remover] that does it. Blobs that must stay by now are passed over.
func (c *Collector) remove(ctx context.Context, got *swept, blobs []candidate) error {
	gone, freed, err := c.removeNow(ctx, blobs)
	sizes := make(map[api.Digest]int64, len(blobs))
	for _, b := range blobs {
		sizes[b.SHA256] = b.Size
	}
	for _, d := range gone {
		got.blobs = append(got.blobs, api.BlobInfo{SHA256: d, Size: sizes[d]})
		c.log.Debug("collected a blob", telemetry.KeyBlob, d.String())
	}
	got.freed += freed
	return err
}

// tell counts and logs what was removed.
func (c *Collector) tell(got *swept) {
	c.counts.blobs.Add(int64(len(got.blobs)))
	c.counts.bytes.Add(got.freed)
	if len(got.blobs) > 0 {
		c.log.Info("collected blobs that nobody needs here", "blobs", len(got.blobs), "bytes", got.freed)
	}
}

func (c *Collector) removeNow(ctx context.Context, blobs []candidate) ([]api.Digest, int64, error) {
	c.keep.Lock()
	defer c.keep.Unlock()
	var still []api.Digest
	for _, b := range blobs {
		if c.classify(b.SHA256) <= b.class {
			still = append(still, b.SHA256)
		}
	}
	return c.store.Remove(ctx, still)
}

// pretend returns a [remover] that only counts.
func (c *Collector) pretend() remover {
	all := map[api.Digest]bool{}
	return func(ctx context.Context, got *swept, blobs []candidate) error {
		for _, b := range blobs {
			all[b.SHA256] = true
			got.blobs = append(got.blobs, b.BlobInfo)
		}
		before := c.store.Stats().Bytes
		stays, err := c.listed(ctx, func(d api.Digest) bool { return !all[d] })
		got.freed = max(before-stays, 0)
		return err
	}
}

// confirmed returns a [remover] of those blobs of which all keepers confirm that they
// have them.
func (c *Collector) confirmed(next remover) remover {
	return func(ctx context.Context, got *swept, blobs []candidate) error {
		sure, err := c.confirm(ctx, blobs)
		if err != nil {
			return err
		}
		return next(ctx, got, sure)
	}
}

// confirm asks the keepers of some blobs, and returns those that all of them have.
func (c *Collector) confirm(ctx context.Context, blobs []candidate) (sure []candidate, err error) {
	has := make([]bool, len(blobs))
	g, asking := errgroup.WithContext(ctx)
	g.SetLimit(asked)
	for i, b := range blobs {
		g.Go(func() error {
			return task.Guard(asking, func(ctx context.Context) error {
				err := c.refs.ConfirmElsewhere(ctx, b.SHA256)
				if has[i] = err == nil; err != nil {
					c.log.Debug("a blob stays: its keepers do not all have it", telemetry.KeyBlob, b.SHA256.String(), telemetry.Error(err))
				}
				return nil
			})
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, b := range blobs {
		if has[i] {
			sure = append(sure, b)
		}
	}
	return sure, nil
}
