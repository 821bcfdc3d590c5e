package scrub

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/task"
)

const (
	perLook   = 64                     // chunks between looks at who listens
	tellEvery = 250 * time.Millisecond // between lines without news
	waitEvery = 5 * time.Second        // between lines while another one verifies
	mendings  = 4                      // blobs that are mended side by side
)

// Verify reads every chunk of the store now, mends what is damaged, and calls tell
// from one goroutine with how it goes: the last time with End, once all mending has
// ended. While another caller verifies it waits, and tells that nothing is done yet.
// It ends early with an error of ctx, of tell or of the store.
func (s *Scrubber) Verify(ctx context.Context, tell func(api.VerifyProgress) error) error {
	if err := s.queue(ctx, tell); err != nil {
		return fmt.Errorf("verify the store: %w", err)
	}
	defer func() { <-s.turn }()
	v := &verification{Scrubber: s, total: s.store.Stats().Bytes, tell: tell}
	if err := v.run(ctx); err != nil {
		return fmt.Errorf("verify the store: %w", err)
	}
	return nil
}

// queue waits for the turn.
func (s *Scrubber) queue(ctx context.Context, tell func(api.VerifyProgress) error) error {
	tick := time.NewTicker(waitEvery)
	defer tick.Stop()
	for {
		if err := tell(api.VerifyProgress{Total: s.store.Stats().Bytes}); err != nil {
			return err
		}
		select {
		case s.turn <- struct{}{}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// verification is one on its way.
type verification struct {
	*Scrubber
	tell        func(api.VerifyProgress) error
	done, total int64
	told        time.Time

	mu           sync.Mutex
	mended, lost []api.Digest // since the last line
}

func (v *verification) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	slots := make(chan struct{}, mendings)
	g, mending := errgroup.WithContext(ctx)
	err := v.read(ctx, func(d api.Digest) {
		g.Go(func() error {
			select {
			case slots <- struct{}{}:
			case <-mending.Done():
				return nil
			}
			defer func() { <-slots }()
			return task.Guard(mending, func(ctx context.Context) error { v.note(d, v.mend(ctx, d)); return nil })
		})
	})
	if err == nil {
		err = v.await(g)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		stop()
		_ = g.Wait() // err has come first
		return err
	}
	return v.line(api.VerifyProgress{End: true})
}

// read checks all chunks and has mend called for each damaged blob.
func (v *verification) read(ctx context.Context, mend func(api.Digest)) error {
	var after api.Digest
	seen := map[api.Digest]bool{}
	for {
		next, read, damaged, err := v.store.Check(ctx, after, perLook)
		v.count(func(st *Stats) { st.Bytes += read })
		v.done += read
		var news []api.Digest
		for _, d := range v.found(damaged) {
			if !seen[d] {
				news = append(news, d)
				seen[d] = true
			}
		}
		if err != nil {
			return err
		}
		if err := v.news(news); err != nil {
			return err
		}
		for _, d := range news {
			mend(d)
		}
		if next.IsZero() {
			v.completed(time.Now())
			return nil
		}
		after = next
	}
}

// await waits until all mending has ended, and tells of it meanwhile.
func (v *verification) await(g *errgroup.Group) error {
	ended := make(chan error, 1)
	go func() { ended <- g.Wait() }()
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return err
		case <-tick.C:
			if err := v.news(nil); err != nil {
				return err
			}
		}
	}
}

func (v *verification) note(d api.Digest, mended bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if mended {
		v.mended = append(v.mended, d)
	} else {
		v.lost = append(v.lost, d)
	}
}

// news tells what has happened, at once if that is damage.
func (v *verification) news(damaged []api.Digest) error {
	if len(damaged) == 0 && time.Since(v.told) < tellEvery {
		return nil
	}
	return v.line(api.VerifyProgress{Damaged: damaged})
}

// line completes p and tells it.
func (v *verification) line(p api.VerifyProgress) error {
	v.mu.Lock()
	p.Mended, p.Lost = v.mended, v.lost
	v.mended, v.lost = nil, nil
	v.mu.Unlock()
	p.Done, p.Total = v.done, max(v.total, v.done)
	v.told = time.Now()
	return v.tell(p)
}
