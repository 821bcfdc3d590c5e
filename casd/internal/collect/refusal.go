package collect

import (
	"context"
	"fmt"
	"strings"

	"github.com/realm-mesh/realm/internal/kit/disk"
)

// Refusal says why there is no room, and what to do.
type Refusal struct {
	Missing int64 // bytes; 0: the disk does not say
	ByQuota bool  // else the disk is full
	room    room
	asked   int64 // bytes, of those in room
	kept    sums
	goes    int64 // bytes that all would free that may go
	unknown bool  // what the realm needs is not known yet
	dir     string
}

// Unwrap implements what [errors.Is] looks for.
func (*Refusal) Unwrap() error { return disk.ErrFull }

func (r *Refusal) Error() string {
	var b strings.Builder
	switch {
	case r.ByQuota:
		fmt.Fprintf(&b, "store full: %s missing of its quota of %d MiB", inMiB(r.Missing), r.room.quota>>20)
	case r.Missing > 0:
		fmt.Fprintf(&b, "disk full: %s missing on %s, which has %d MiB left (%d MiB are kept in reserve)",
			inMiB(r.Missing), r.dir, r.room.free>>20, disk.ReserveBulk>>20)
	default:
		fmt.Fprintf(&b, "disk full: %s takes no more bytes, though it says that %d MiB are left", r.dir, r.room.free>>20)
	}
	if left := r.Missing - r.goes; r.goes > 0 && left > 0 {
		fmt.Fprintf(&b, ", and %s missing though all that is cached went", inMiB(left))
	}
	stored := r.room.used - r.asked
	held := min(r.kept.held, stored)
	fmt.Fprintf(&b, "; of %d MiB in the store, %d are needed by the realm, pinned here or in use, %d are cached and %d are promised to others that write",
		stored>>20, held>>20, min(r.kept.idle+r.kept.spare, stored-held)>>20, (r.room.owed-r.asked)>>20)
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

// inMiB is n in words, in MiB that are enough.
func inMiB(n int64) string {
	if n = (n + 1<<20 - 1) >> 20; n != 1 {
		return fmt.Sprintf("%d MiB are", n)
	}
	return "1 MiB is"
}

// refuse says why there is no room for n bytes, which r counts.
func (c *Collector) refuse(ctx context.Context, r room, n int64) error {
	p, err := c.plan()
	if err != nil {
		return err
	}
	goes, err := c.frees(ctx, p)
	if err != nil {
		return err
	}
	byQuota := n > 0 && r.overQuota() > 0 && r.overQuota() >= r.overDisk()
	return &Refusal{Missing: r.missing(n > 0), ByQuota: byQuota, room: r, asked: n, kept: p.sums, goes: goes, unknown: !c.refs.Known(), dir: c.cfg.Dir}
}
