package collect

import (
	"context"
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/internal/kit/disk"
)

// Parts of the room, in percent, that what must stay takes when the node begins and
// ends to be full.
const (
	fullAbove = 95
	fullBelow = 85
)

// Status tells what the store holds; when it was scrubbed is not known here.
func (c *Collector) Status(ctx context.Context) (api.StorageStatus, error) {
	free, err := disk.Free(c.cfg.Dir)
	if err != nil {
		return api.StorageStatus{}, fmt.Errorf("look at free space of %s: %w", c.cfg.Dir, err)
	}
	p, err := c.plan()
	if err != nil {
		return api.StorageStatus{}, err
	}
	goes, err := c.goes(ctx, p)
	if err != nil {
		return api.StorageStatus{}, fmt.Errorf("measure the store: %w", err)
	}
	st := c.store.Stats()
	goes = min(goes, st.Bytes)
	return api.StorageStatus{Dir: c.cfg.Dir, Blobs: st.Blobs, Partial: st.Partial, Chunks: st.Chunks, Logical: st.Logical, Stored: st.Bytes,
		Quota: c.cfg.Quota, DiskFree: free, Needed: st.Bytes - goes, Cached: goes,
		Damaged: p.damaged, Full: c.Full()}, nil
}

// look collects what is beyond the bounds, such as those of a quota that was lowered,
// and judges anew whether the store is full.
func (c *Collector) look(ctx context.Context, changed func(bool)) error {
	if !c.refs.Known() {
		return nil
	}
	if err := c.trim(ctx); err != nil {
		return err
	}
	full, err := c.judge(ctx)
	if err == nil && c.full.Swap(full) != full {
		changed(full)
	}
	return err
}

func (c *Collector) trim(ctx context.Context) error {
	r, err := c.roomFor(c.store.Stats(), 0)
	if err != nil || r.missing(true) == 0 {
		return err
	}
	end, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	p, err := c.plan()
	if err != nil {
		return err
	}
	_, err = c.makeRoom(ctx, p, nil, r.missing(true), r.used-r.limit()*lowWater/100)
	return err
}

// judge reports whether the node is full, given whether it was.
func (c *Collector) judge(ctx context.Context) (bool, error) {
	r, err := c.roomFor(c.store.Stats(), 0)
	if err != nil {
		return false, err
	}
	was, limit := c.Full(), r.limit()
	part := func(n int64) float64 { return 100 * float64(n) / float64(max(limit, 1)) }
	stored := c.store.Stats().Bytes
	if limit > 0 && (part(stored) < fullBelow || !was && part(stored) <= fullAbove) {
		return false, nil // however little of it may go
	}
	p, err := c.plan()
	if err != nil {
		return was, err
	}
	goes, err := c.goes(ctx, p)
	if err != nil {
		return was, err
	}
	switch stays := stored - goes; {
	case limit == 0, part(stays) > fullAbove:
		return true, nil
	case part(stays) < fullBelow:
		return false, nil
	}
	return was, nil
}

// Pin keeps a blob on this node, whole or what is here of it. Errors:
// [store.ErrNotFound].
func (c *Collector) Pin(d api.Digest) error {
	c.keep.Lock()
	defer c.keep.Unlock()
	_, err := c.store.Index(d)
	if errors.Is(err, store.ErrNotFound) {
		_, err = c.store.Partial(d)
	}
	if err != nil {
		return fmt.Errorf("pin: %w", err)
	}
	if err = c.pins.Add(d); disk.IsFull(err) {
		return fmt.Errorf("%w: free some space there, or let go of blobs with realm storage gc", err)
	}
	return err
}

// Unpin lets a blob go when room is wanted. Errors: [pins.ErrNotPinned].
func (c *Collector) Unpin(d api.Digest) error { return c.pins.Remove(d) }

// Pinned reports whether a blob is pinned on this node.
func (c *Collector) Pinned(d api.Digest) bool { return c.pins.Has(d) }
