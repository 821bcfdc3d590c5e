package fetch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/casd/internal/wire"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// Bytes that are asked for at once.
const (
	firstBatch = 256 << 10 // of a member that has sent nothing yet
	leastBatch = 128 << 10
	mostBatch  = 2 << 20
	// batchTime is how long a batch should take.
	batchTime = 250 * time.Millisecond
)

// lookEvery is how often a source that is not asked for anything is looked at again:
// what others fetch may be overdue.
const lookEvery = 100 * time.Millisecond

// errElsewhere ends a batch whose chunks have come from others.
var errElsewhere = errors.New("others were faster")

// buffers hold chunks between the network and the disk, histories what they are packed
// beside.
var (
	buffers   = sync.Pool{New: func() any { return new([api.MaxChunk]byte) }}
	histories = sync.Pool{New: func() any { return new([wire.MaxHistory + api.MaxChunk]byte) }}
)

// serve asks s for batches, one after the other, until ctx ends.
func (t *transfer) serve(ctx context.Context, s *source) {
	for ctx.Err() == nil {
		if t.bring(ctx, s) {
			continue
		}
		select {
		case <-ctx.Done():
		case <-s.ready:
		case <-time.After(lookEvery):
		}
	}
}

// bring asks s for a batch and stores what comes. It reports false when there is
// nothing to ask s for now.
func (t *transfer) bring(ctx context.Context, s *source) bool {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p, b := t.take(s, cancel)
	if b == nil {
		return false
	}
	done, err := t.parts.Downloads.Turn(ctx, t.blob.String(), t.weight(), b.left)
	if err == nil {
		err = t.receive(ctx, s, p, b)
		done()
	}
	t.finish(ctx, s, p, b, err)
	return true
}

// take picks a batch, and has the next worker look for one.
func (t *transfer) take(s *source, cancel context.CancelCauseFunc) (*plan, *batch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.in(s) {
		return nil, nil
	}
	now := time.Now()
	most := amount(s.offer, t.plan, now)
	if t.kin != nil {
		most = min(most, wire.PackSize) // one history is for so much
	}
	b := t.plan.pick(s.offer, most, now)
	if b == nil {
		return nil, nil
	}
	b.cancel = cancel
	s.rouse()
	return t.plan, b
}

// amount is how many bytes to ask o for.
func amount(o *offer, p *plan, now time.Time) int64 {
	most := int64(firstBatch)
	if r, known := o.meter.rate(now); known {
		most = min(max(int64(r*batchTime.Seconds()), leastBatch), mostBatch)
	}
	// Near the end there should be something for everybody.
	return min(most, max(p.left/int64(workers*len(p.offers)), leastBatch))
}

// receive asks for b and stores its chunks as they come.
func (t *transfer) receive(ctx context.Context, s *source, p *plan, b *batch) error {
	req := api.ChunksRequest{Blob: t.blob}
	for _, c := range b.chunks {
		req.Chunks = append(req.Chunks, p.idx.Chunks[c].SHA256)
	}
	t.mu.Lock()
	p.sends(b, time.Now())
	t.mu.Unlock()
	pack, done := t.packs(p, b)
	defer done()
	in, err := t.peers.chunks(ctx, s.peer, req, pack)
	if err != nil {
		return err
	}
	defer in.Close()
	before := b.left
	defer func() { t.unpacked(in, pack, before-b.left) }()
	buf := buffers.Get().(*[api.MaxChunk]byte)
	defer buffers.Put(buf)
	for _, c := range b.chunks {
		info := p.idx.Chunks[c]
		raw := buf[:info.Size]
		err := in.next(raw)
		lacks := errors.Is(err, wire.ErrNoChunk)
		if err != nil && !lacks {
			return err
		}
		if !lacks && !t.here(p, c) {
			lacks, err = t.keep(ctx, s, info, raw)
			if err != nil {
				return err
			}
		}
		t.landed(s, p, b, lacks, in.moved(info.Size))
	}
	return in.end()
}

// packs says how b may be packed: a blob that is no larger than programs are packs well,
// most likely. done is to be called once it has come.
func (t *transfer) packs(p *plan, b *batch) (pack *packing, done func()) {
	if !p.program() {
		return nil, func() {}
	}
	pack, done = &packing{}, func() {}
	if chunks := t.beside(p, b); len(chunks) > 0 {
		buf := histories.Get().(*[wire.MaxHistory + api.MaxChunk]byte)
		done = func() { histories.Put(buf) }
		pack.names, pack.history = t.history(chunks, buf[:])
	}
	return pack, done
}

// unpacked takes note that n bytes of chunks have come, packed or not.
func (t *transfer) unpacked(in *chunks, pack *packing, n int64) {
	if in.packed == nil {
		return
	}
	t.parts.Downloads.Refund(n - in.count)
	if len(pack.names) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kin != nil {
		t.kin.taken += n
		t.kin.moved += in.count
	}
}

// keep stores a chunk that s has sent. Where the bytes are wrong s gets a second chance:
// it may not have looked at what its disk has made of them, as it does when it is asked
// for one chunk by itself. It lacks the chunk if it finds it damaged then.
func (t *transfer) keep(ctx context.Context, s *source, c api.BlobInfo, raw []byte) (lacks bool, err error) {
	err = t.put(c, raw) //nolint:contextcheck // what has come is kept, whoever gives up meanwhile
	if errors.Is(err, store.ErrMismatch) {
		if err = t.peers.chunk(ctx, s.peer, c, raw); errors.Is(err, errLacks) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		err = t.put(c, raw) //nolint:contextcheck // as above
	}
	switch {
	case errors.Is(err, store.ErrMismatch):
		return false, fmt.Errorf("%w: other bytes than those of chunk %s", errLie, c.SHA256.Short())
	case err != nil:
		return false, localError{err}
	}
	t.parts.Landed(c.SHA256)
	return false, nil
}

func (t *transfer) here(p *plan, c int32) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return p.chunks[c].here
}

// landed takes note of the next chunk of b, for which so many bytes were moved.
func (t *transfer) landed(s *source, p *plan, b *batch, lacks bool, moved int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	n := int(p.size(b.chunks[b.next]))
	again := p.came(b, lacks, errElsewhere, now)
	if lacks {
		t.rouse()
		return
	}
	t.parts.Metrics.in.Add(float64(moved))
	s.sent += moved
	s.failed = 0
	s.wall.add(now, int(moved))
	if again {
		t.parts.Metrics.again.Inc()
		return
	}
	t.moved = now
	t.meter.add(now, n)
	if !t.first {
		t.first = true
		t.parts.Begun(t.blob)
	}
	if p.absent == 0 {
		t.look()
	}
}

// finish takes note of how b has ended.
func (t *transfer) finish(ctx context.Context, s *source, p *plan, b *batch, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := b.next < len(b.chunks)
	p.over(b, time.Now())
	if left {
		t.rouse()
	}
	switch {
	case err == nil:
		return
	case errors.Is(context.Cause(ctx), errElsewhere):
		t.parts.Metrics.overtaken.Inc()
		return
	case ctx.Err() != nil && context.Cause(ctx) == context.Canceled: //nolint:errorlint // as it is set by the end of the transfer
		return
	case isLocal(err):
		if t.fatal == nil {
			t.fatal = err
		}
		t.look()
		return
	case errors.Is(err, errStalled):
		t.parts.Metrics.stalls.Inc()
	}
	t.spoilt(s, err)
}

// spoilt has s, which has failed with err, asked anew what it has, or never again. mu
// is held.
func (t *transfer) spoilt(s *source, err error) {
	defer t.look()
	t.parts.Log.Debug("a member failed to send chunks", telemetry.KeyPeer, s.peer.String(), telemetry.KeyBlob, t.blob.String(), telemetry.Error(err))
	if errors.Is(err, errLie) {
		t.drop(s, err)
		return
	}
	t.part(s)
	if s.state == stateJoined {
		s.state, s.why = stateAway, err
	}
	s.cut(err)
}
