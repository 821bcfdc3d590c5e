package collect

import (
	"context"
	"errors"
	"fmt"
	"strings"

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
	if missing := r.missing(n > 0); refused || p.sums.idle+p.sums.spare >= missing {
		want := r.used - r.limit()*lowWater/100
		if refused { // the disk has a bound that it does not tell: leave it some air
			missing, want = max(missing, 1), max(want, r.used*(100-lowWater)/100)
		}
		freed, err := c.makeRoom(ctx, p, missing, want)
		if err != nil {
			return fmt.Errorf("make room in the store: %w", err)
		}
		if r, err = c.roomFor(c.store.Stats(), n); err != nil || r.missing(n > 0) == 0 && (!refused || freed > 0) {
			return err
		}
	}
	c.counts.refused.Add(1)
	return c.refuse(r, n > 0)
}

// makeRoom frees want bytes of what may go, if there are so many. What the realm needs
// elsewhere goes only where the rest frees less than least, and only as far as its
// keepers confirm in time that they have it.
func (c *Collector) makeRoom(ctx context.Context, p plan, least, want int64) (freed int64, err error) {
	var got swept
	defer c.tell(&got)
	if err := c.sweep(ctx, &got, p.idle, want, batch, c.remove); err != nil || got.freed >= least {
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

// Refusal says why there is no room, and what to do.
type Refusal struct {
	Missing int64 // bytes; 0: the disk does not say
	ByQuota bool  // else the disk is full
	room    room
	kept    sums
	unknown bool // what the realm needs is not known yet
	dir     string
}

// Unwrap implements what [errors.Is] looks for.
func (*Refusal) Unwrap() error { return disk.ErrFull }

func (r *Refusal) Error() string {
	var b strings.Builder
	switch {
	case r.ByQuota:
		fmt.Fprintf(&b, "store full: %s missing of its quota of %d MiB", missingMiB(r.Missing), r.room.quota>>20)
	case r.Missing > 0:
		fmt.Fprintf(&b, "disk full: %s missing on %s, which has %d MiB left (%d MiB are kept in reserve)",
			missingMiB(r.Missing), r.dir, r.room.free>>20, disk.ReserveBulk>>20)
	default:
		fmt.Fprintf(&b, "disk full: %s takes no more bytes, though it says that %d MiB are left", r.dir, r.room.free>>20)
	}
	held := min(r.kept.held, r.room.used)
	fmt.Fprintf(&b, "; of %d MiB in the store, %d are needed by the realm, pinned here or in use, %d are cached and %d are promised to writers",
		r.room.used>>20, held>>20, min(r.kept.idle+r.kept.spare, r.room.used-held)>>20, r.room.owed>>20)
	if r.unknown {
		b.WriteString(". What the realm needs is not known yet, so nothing is collected: try again when meshd is up")
		return b.String()
	}
	b.WriteString(". Free some with realm storage gc, realm storage unpin or realm rm, ")
	if r.ByQuota {
		b.WriteString("or raise the quota with realm configure --storage-quota-mb")
	} else {
		b.WriteString("or free some space there")
	}
	return b.String()
}

// missingMiB is n in words, in MiB that are enough.
func missingMiB(n int64) string {
	if n = (n + 1<<20 - 1) >> 20; n != 1 {
		return fmt.Sprintf("%d MiB are", n)
	}
	return "1 MiB is"
}

func (c *Collector) refuse(r room, counted bool) error {
	p, err := c.plan()
	if err != nil {
		return err
	}
	byQuota := counted && r.overQuota() > 0 && r.overQuota() >= r.overDisk()
	return &Refusal{Missing: r.missing(counted), ByQuota: byQuota, room: r, kept: p.sums, unknown: !c.refs.Known(), dir: c.cfg.Dir}
}
