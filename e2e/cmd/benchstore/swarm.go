package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/realm-mesh/realm/internal/kit/task"
)

// Aims of one seed that serves everybody else at once.
const (
	swarmAim = 3   // times as fast as kubo
	seedAim  = 2.0 // times the blob, which the seed sends in all
)

// swarm is several nodes that want what the first of them has.
type swarm interface {
	// offer puts a file on the first node and returns what the others ask for.
	offer(ctx context.Context, file string) (string, error)
	// take returns when node i, from 1, has it whole.
	take(ctx context.Context, i int, id string) error
	// sent is how many bytes the first node has given to others so far.
	sent(ctx context.Context) (int64, error)
	// pids are the processes that do the work.
	pids() []int
	stop() error
}

// contest is what one kind of swarm has done.
type contest struct {
	name string
	swarm
	last  times     // until the last node had it whole
	first times     // until the first had
	work  times     // of the processors
	times []float64 // the blob, that the first node sent
}

// swarm lets one node give fresh bytes to all others at once, here and elsewhere.
func (b *bench) swarm(ctx context.Context) (err error) {
	all, err := b.swarms(ctx)
	defer func() {
		for _, c := range all {
			err = errors.Join(err, c.stop())
		}
	}()
	if err != nil {
		return err
	}
	file := filepath.Join(b.dir, "in")
	for range b.swarmRounds {
		for _, c := range all {
			if err := randomFile(file, int64(b.swarmMiB)<<20); err != nil {
				return err
			}
			if err := c.round(ctx, file, b.nodes, int64(b.swarmMiB)<<20); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	b.reportSwarm(all)
	return nil
}

// swarms starts the contestants; the first is ours. It returns those that it has
// started even if it fails.
func (b *bench) swarms(ctx context.Context) ([]*contest, error) {
	var all []*contest
	m, err := b.newMesh(ctx, b.nodes)
	all = append(all, &contest{name: "Realm", swarm: meshSwarm{m}})
	if err != nil {
		return all, err
	}
	h, err := newHTTPSwarm(ctx, b.dir)
	if err != nil {
		return all, err
	}
	all = append(all, &contest{name: "plain HTTP from the first to each", swarm: h})
	if b.ipfs == "" {
		return all, nil
	}
	for _, private := range []bool{true, false} {
		name := "kubo, private network (TCP)"
		if !private {
			name = "kubo, without a network key (QUIC)"
		}
		k, err := b.newKuboSwarm(ctx, private)
		all = append(all, &contest{name: name, swarm: k})
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// round lets all nodes but the first take a file at the same time.
func (c *contest) round(ctx context.Context, file string, nodes int, size int64) error {
	id, err := c.offer(ctx, file)
	if err != nil {
		return err
	}
	before, err := c.spent(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	took := make(times, nodes-1)
	var work []func(context.Context) error
	for i := range took {
		work = append(work, func(ctx context.Context) error {
			err := c.take(ctx, i+1, id)
			took[i] = time.Since(begin)
			return err
		})
	}
	if err := task.Run(ctx, work...); err != nil {
		return err
	}
	after, err := c.spent(ctx)
	c.last, c.first = append(c.last, slices.Max(took)), append(c.first, slices.Min(took))
	c.work = append(c.work, after.work-before.work)
	c.times = append(c.times, float64(after.sent-before.sent)/float64(size))
	return err
}

// spending is what a swarm has spent since it began.
type spending struct {
	sent int64
	work time.Duration
}

func (c *contest) spent(ctx context.Context) (s spending, err error) {
	if s.sent, err = c.sent(ctx); err != nil {
		return s, err
	}
	s.work, err = worked(c.pids())
	return s, err
}

func (b *bench) reportSwarm(all []*contest) {
	heading(fmt.Sprintf("%d MiB from one node to %d others at once", b.swarmMiB, b.nodes-1),
		"what", "the last has it after", "the first", "time of processors", "the seed sends", "Realm is faster", "aim")
	for _, c := range all {
		sent := slices.Max(c.times)
		faster, aim := "", atMost(sent, seedAim, fmt.Sprintf("%.0f × sent", seedAim))
		if c != all[0] {
			ratio := all[0].last.share(c.last)
			faster, aim = fmt.Sprintf("%.2f ×", ratio), ""
			if _, kubo := c.swarm.(*kuboSwarm); kubo {
				aim = atLeast(ratio, swarmAim, fmt.Sprintf("%d ×", swarmAim))
			}
		}
		row(c.name, c.last.seconds(), c.first.seconds(), c.work.seconds(), fmt.Sprintf("%.2f × the blob", sent), faster, aim)
	}
}
