package fetch

import (
	"maps"
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store/cut"
	"github.com/realm-mesh/realm/casd/internal/wire"
)

const (
	// kinLeast is how many bytes must be missing, and here, for a kin to be looked for.
	kinLeast = 64 << 10
	// kinSearch is how many chunks of other blobs are looked at for one: 36 MB of indexes.
	kinSearch = 1 << 20
	// kinMargin is how many bytes around the place where a chunk is expected in the kin
	// are named: something may have been put in, or taken out, between the places that
	// are known.
	kinMargin = 128 << 10
	// A kin is of no use any more when after kinTrial bytes less than a part of them was
	// saved.
	kinTrial = 2 << 20
	kinGain  = 8
)

// kin is a blob that is here, whole, and shares chunks with the one that is fetched: an
// older version of a program, most likely. What stands in it where the missing chunks
// would be is much like these, though no chunk is the same, as machine code is when
// something before it has grown. Who sends them packs them beside that (see
// [wire.Packer]).
type kin struct {
	chunks []api.BlobInfo
	starts []int64    // of chunks, and where the last one ends
	places [][2]int64 // where each chunk of the new blob would begin, by the last shared one before it, and the next
	taken  int64      // bytes that came with its help, before they were packed
	moved  int64      // and after
}

// akin finds a kin for the missing chunks of idx; nil: there is none, or it is not worth it.
func (t *transfer) akin(idx api.BlobIndex, missing []api.BlobInfo) *kin {
	lacks := int64(0)
	for _, c := range missing {
		lacks += c.Size
	}
	if idx.Size > cut.ProgramLimit || lacks < kinLeast || idx.Size-lacks < kinLeast {
		return nil
	}
	best, most := api.BlobIndex{}, int64(kinLeast)
	all, err := t.parts.Store.Blobs()
	if err != nil {
		return nil // it saves bytes; the fetch does not depend on it
	}
	wanted := byDigest(idx.Chunks)
	for left := kinSearch; left > 0 && len(all) > 0; all = all[1:] {
		old, err := t.parts.Store.Index(all[0])
		if err != nil || old.Size > cut.ProgramLimit {
			left--
			continue
		}
		left -= len(old.Chunks)
		if n := shared(wanted, old); n > most {
			best, most = old, n
		}
		if most >= idx.Size-lacks {
			break // there is no better one
		}
	}
	if len(best.Chunks) == 0 {
		return nil
	}
	return newKin(idx, best)
}

func byDigest(chunks []api.BlobInfo) map[api.Digest]int {
	m := make(map[api.Digest]int, len(chunks))
	for i, c := range chunks {
		if _, twice := m[c.SHA256]; !twice {
			m[c.SHA256] = i
		}
	}
	return m
}

// shared is how many bytes of old are in chunks that are wanted.
func shared(wanted map[api.Digest]int, old api.BlobIndex) (n int64) {
	for _, c := range old.Chunks {
		if _, ok := wanted[c.SHA256]; ok {
			n += c.Size
		}
	}
	return n
}

// starts is where each of some chunks begins, and where the last one ends.
func starts(chunks []api.BlobInfo) []int64 {
	at := make([]int64, 1, len(chunks)+1)
	for i, c := range chunks {
		at = append(at, at[i]+c.Size)
	}
	return at
}

// newKin sets idx and old, which have chunks in common, side by side.
func newKin(idx, old api.BlobIndex) *kin {
	k := &kin{chunks: old.Chunks, starts: starts(old.Chunks), places: make([][2]int64, len(idx.Chunks))}
	own, at := byDigest(old.Chunks), starts(idx.Chunks)
	ahead := int64(0) // of a place in old before the same one in idx
	look := func(i, side int) {
		if j, ok := own[idx.Chunks[i].SHA256]; ok {
			ahead = k.starts[j] - at[i]
		}
		k.places[i][side] = at[i] + ahead
	}
	for i := range idx.Chunks {
		look(i, 0)
	}
	for i := range slices.Backward(idx.Chunks) {
		look(i, 1)
	}
	return k
}

// beside are chunks of the kin to pack some others beside, in its order.
func (k *kin) beside(p *plan, chunks []int32) []api.BlobInfo {
	if k.taken > kinTrial && k.moved > k.taken-k.taken/kinGain {
		return nil
	}
	room, named := int64(wire.MaxHistory), map[int]bool{}
	for _, margin := range []int64{0, kinMargin} {
		for _, c := range chunks {
			for _, place := range k.places[c] {
				room = k.name(named, place-margin, place+p.size(c)+margin, room)
			}
		}
	}
	var out []api.BlobInfo
	for _, j := range slices.Sorted(maps.Keys(named)) {
		out = append(out, k.chunks[j])
	}
	return out[:min(len(out), wire.MaxNames)]
}

// name adds the chunks between two places to named, as far as there is room, and returns
// what is left of that.
func (k *kin) name(named map[int]bool, from, to, room int64) int64 {
	j, exact := slices.BinarySearch(k.starts, from)
	if !exact {
		j--
	}
	for j = max(j, 0); j < len(k.chunks) && k.starts[j] < to; j++ {
		need := k.chunks[j].Size + wire.FrameHead
		if !named[j] && need <= room {
			named[j] = true
			room -= need
		}
	}
	return room
}

// beside are chunks that are here to pack b beside.
func (t *transfer) beside(p *plan, b *batch) []api.BlobInfo {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kin == nil || t.plan != p {
		return nil
	}
	return t.kin.beside(p, b.chunks)
}

// history reads chunks into buf, and names them; none if one cannot be read.
func (t *transfer) history(chunks []api.BlobInfo, buf []byte) (names []api.Digest, history []byte) {
	history = buf[:0]
	for _, c := range chunks {
		raw, err := t.parts.Store.ReadChunk(c.SHA256, history[len(history):len(history)+api.MaxChunk])
		if err != nil || int64(len(raw)) != c.Size {
			return nil, nil // it was collected, or is damaged: the fetch does not depend on it
		}
		history = history[:len(history)+int(c.Size)]
		names = append(names, c.SHA256)
	}
	return names, history
}
