package collect

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
)

// perShard is how many chunks are looked at in one pass over all indexes: each takes
// some tens of bytes of memory meanwhile.
const perShard = 1 << 19

// listed returns the bytes of those chunks here that selected blobs list, each once.
func (c *Collector) listed(ctx context.Context, selected func(api.Digest) bool) (total int64, err error) {
	shards := uint64(c.store.Stats().Chunks/perShard + 1)
	for shard := range shards {
		seen := map[uint64]struct{}{} // first bytes of digests: they tell chunks apart well enough to count
		err = c.eachChunk(ctx, selected, func(chunk api.BlobInfo) {
			k := key(chunk.SHA256)
			if _, again := seen[k]; !again && k%shards == shard {
				seen[k] = struct{}{}
				total += chunk.Size
			}
		})
		if err != nil {
			return 0, err
		}
	}
	return total, nil
}

func key(d api.Digest) uint64 { return binary.LittleEndian.Uint64(d[:]) }

// eachChunk calls fn for the chunks here of all selected blobs, for one that is listed
// several times as often.
func (c *Collector) eachChunk(ctx context.Context, selected func(api.Digest) bool, fn func(api.BlobInfo)) error {
	return c.store.Records(func(r store.Record) error {
		if err := ctx.Err(); err != nil || !selected(r.SHA256) {
			return err
		}
		chunks, err := c.chunks(r)
		for _, chunk := range chunks {
			fn(chunk)
		}
		return err
	})
}

// chunks are those of a blob that are here.
func (c *Collector) chunks(r store.Record) ([]api.BlobInfo, error) {
	if r.Whole {
		idx, err := c.store.Index(r.SHA256)
		if !errors.Is(err, store.ErrNotFound) {
			return idx.Chunks, err
		}
	}
	idx, err := c.store.Partial(r.SHA256)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil // it is gone
	}
	if err != nil {
		return nil, err
	}
	lacks := map[api.Digest]bool{}
	for _, chunk := range c.store.Missing(idx) {
		lacks[chunk.SHA256] = true
	}
	var here []api.BlobInfo
	for _, chunk := range idx.Chunks {
		if !lacks[chunk.SHA256] {
			here = append(here, chunk)
		}
	}
	return here, nil
}

// measured is how much of the store may go, measured last.
type measured struct {
	mu   sync.Mutex // held while it is measured: others want the same
	of   measuring
	done bool
	goes int64 // bytes
}

// measuring is what a measurement depends on, well enough.
type measuring struct {
	sums          sums
	stored        int64
	blobs, chunks int64
	idle, spare   int
}

// covers reports whether collecting everything in p frees n bytes.
func (c *Collector) covers(ctx context.Context, p plan, n int64) (bool, error) {
	switch {
	case p.sums.idle+p.sums.spare < n: // though no chunk were shared
		return false, nil
	case c.store.Stats().Bytes-p.sums.held >= n: // though none of what stays were
		return true, nil
	}
	goes, err := c.frees(ctx, p)
	return goes >= n, err
}

// frees returns the bytes that collecting everything in p frees now. What puts on their
// way have stored is of no blob yet.
func (c *Collector) frees(ctx context.Context, p plan) (int64, error) {
	goes, err := c.goes(ctx, p)
	return min(goes, p.sums.idle+p.sums.spare), err
}

// goes returns the bytes of the store that need not stay, but for what p holds.
func (c *Collector) goes(ctx context.Context, p plan) (int64, error) {
	st := c.store.Stats()
	switch {
	case len(p.idle)+len(p.spare) == 0:
		return 0, nil
	case p.sums.held == 0:
		return st.Bytes, nil
	}
	m := &c.measure
	m.mu.Lock()
	defer m.mu.Unlock()
	of := measuring{p.sums, st.Bytes, st.Blobs, st.Chunks, len(p.idle), len(p.spare)}
	if m.done && m.of == of {
		return m.goes, nil
	}
	may := make(map[api.Digest]bool, len(p.idle)+len(p.spare))
	for _, list := range [][]candidate{p.idle, p.spare} {
		for _, b := range list {
			may[b.SHA256] = true
		}
	}
	stays, err := c.listed(ctx, func(d api.Digest) bool { return !may[d] })
	if err != nil {
		return 0, err
	}
	m.of, m.done, m.goes = of, true, max(st.Bytes-stays, 0)
	return m.goes, nil
}
