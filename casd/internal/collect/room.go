package collect

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/internal/kit/disk"
)

// lowWater is the part of the room, in percent, that collecting goes down to.
const lowWater = 90

// room is what there is room for, in bytes, and what takes it.
type room struct {
	used  int64 // chunks, with those on their way
	quota int64
	free  int64 // of the disk
	owed  int64 // promised, and not on the disk yet
}

// roomFor returns the room after a write of n more bytes than st counts.
func (c *Collector) roomFor(st store.Stats, n int64) (room, error) {
	free, err := disk.Free(c.cfg.Dir)
	if err != nil {
		return room{}, fmt.Errorf("look at free space of %s: %w", c.cfg.Dir, err)
	}
	return room{used: used(st) + n, quota: c.cfg.Quota, free: free, owed: st.Reserved + n}, nil
}

// used is what counts against the quota.
func used(st store.Stats) int64 { return st.Bytes + st.Staged + st.Reserved }

// overQuota and overDisk are by how much the bounds are passed; 0 or less: not at all.
func (r room) overQuota() int64 { return r.used - r.quota }
func (r room) overDisk() int64  { return r.owed + disk.ReserveBulk - r.free }

// limit is what used may grow to.
func (r room) limit() int64 { return max(min(r.quota, r.used-r.overDisk()), 0) }

// missing is by how much the bounds are passed. What takes nothing of the quota is not
// held up by it.
func (r room) missing(counted bool) int64 {
	if !counted {
		return max(r.overDisk(), 0)
	}
	return max(r.overDisk(), r.overQuota(), 0)
}

// Fits implements [store.Room].
func (c *Collector) Fits(st store.Stats, n int64) bool {
	r, err := c.roomFor(st, n)
	return err == nil && r.missing(n > 0) == 0
}

// Make implements [store.Room]. Its refusal is a [*Refusal].
func (c *Collector) Make(ctx context.Context, n int64, refused bool) error {
	end, err := c.begin(ctx)
	if err != nil {
		return fmt.Errorf("wait for room in the store: %w", err)
	}
	defer end()
	defer c.soon()
	r, err := c.roomFor(c.store.Stats(), n)
	if err != nil || !refused && r.missing(n > 0) == 0 {
		return err // another has made room meanwhile
	}
	p, err := c.plan()
	if err != nil {
		return err
	}
	missing, want := r.missing(n > 0), r.used-r.limit()*lowWater/100
	sure, enough := []candidate(nil), true
	if refused { // the disk has a bound that it does not tell: leave it some air
		missing, want = max(missing, 1), max(want, r.used*(100-lowWater)/100)
	} else if sure, enough, err = c.promised(ctx, p, missing, want); err != nil {
		return fmt.Errorf("make room in the store: %w", err)
	}
	if enough {
		freed, err := c.makeRoom(ctx, p, sure, missing, want)
		if err != nil {
			return fmt.Errorf("make room in the store: %w", err)
		}
		if r, err = c.roomFor(c.store.Stats(), n); err != nil || r.missing(n > 0) == 0 && (!refused || freed > 0) {
			return err
		}
	}
	c.counts.refused.Add(1)
	return c.refuse(ctx, r, n)
}

// promised finds out, before anything goes, whether least bytes are free once it has.
// What the realm needs elsewhere counts only where the rest is not enough, and only as
// far as its keepers confirm in time that they have it: that is sure, until want bytes
// are.
func (c *Collector) promised(ctx context.Context, p plan, least, want int64) (sure []candidate, enough bool, err error) {
	if enough, err = c.covers(ctx, p.with(nil), least); enough || err != nil {
		return nil, enough, err
	}
	if may, err := c.covers(ctx, p, least); !may || err != nil {
		return nil, false, err
	}
	soon, cancel := context.WithTimeout(ctx, c.cfg.Confirm)
	defer cancel()
	for spare := range slices.Chunk(p.spare, asked) {
		confirmed, err := c.confirm(soon, spare)
		if err != nil {
			return nil, false, err
		}
		sure = append(sure, confirmed...)
		now := p.with(sure)
		if !enough {
			if enough, err = c.covers(ctx, now, least); err != nil {
				return nil, false, err
			}
		}
		if soon.Err() != nil || enough && now.sums.idle+now.sums.spare >= want {
			break
		}
	}
	return sure, enough, ctx.Err()
}

// makeRoom frees want bytes of what may go, if there are so many. What the realm needs
// elsewhere goes only where the rest frees less than least: first what is sure to be
// there, then what keepers confirm in time.
func (c *Collector) makeRoom(ctx context.Context, p plan, sure []candidate, least, want int64) (freed int64, err error) {
	var got swept
	defer c.tell(&got)
	if err := c.sweep(ctx, &got, p.idle, want, batch, c.remove); err != nil || got.freed >= least {
		return got.freed, err
	}
	if err := c.sweep(ctx, &got, sure, want, batch, c.remove); err != nil || got.freed >= least {
		return got.freed, err
	}
	soon, cancel := context.WithTimeout(ctx, c.cfg.Confirm)
	defer cancel()
	err = c.sweep(soon, &got, p.spare, want, asked, c.confirmed(c.remove))
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = nil
	}
	return got.freed, err
}
