package store

import (
	"encoding/binary"
	"sync"

	"github.com/realm-mesh/realm/api"
)

// table knows of each chunk how often it is listed, by indexes and by puts on their
// way, and whether its file is here. It says when a chunk may go, and what the store
// holds; whether bytes can be relied upon, only the files say.
//
// A chunk takes about 30 bytes: a million of them, 16 GiB in small blobs or 512 GiB in
// large ones, take 30 MB. That is why a chunk is known by 9 bytes of its digest. Where
// two share these, which somebody can bring about with much work, one is kept for as
// long as the other, and no more comes of it.
type table [256]shard

type shard struct {
	mu   sync.Mutex // held, too, while files of these chunks appear and disappear
	refs map[uint64]ref
}

// ref is what is known of a chunk.
type ref struct {
	listed uint32 // how many times; an index that lists it twice counts twice
	size   uint32 // in bytes, with the flags
}

const (
	flagHere   = 1 << 31 // the file is here
	flagWanted = 1 << 30 // an index of a whole blob lists it; right after Recover alone
	sizeMask   = flagWanted - 1
)

func (r ref) here() bool   { return r.size&flagHere != 0 }
func (r ref) bytes() int64 { return int64(r.size & sizeMask) }

// lock returns the shard of chunk d, locked, and its key there.
func (t *table) lock(d api.Digest) (*shard, uint64) {
	sh := &t[d[0]]
	sh.mu.Lock()
	return sh, binary.BigEndian.Uint64(d[1:9])
}

func (sh *shard) set(key uint64, r ref) {
	if sh.refs == nil {
		sh.refs = map[uint64]ref{}
	}
	sh.refs[key] = r
}

// claim lists c once more and reports whether it was listed before. While it is
// listed its file is not removed.
func (t *table) claim(c api.BlobInfo) (listed bool) {
	sh, key := t.lock(c.SHA256)
	defer sh.mu.Unlock()
	r, listed := sh.refs[key]
	if !listed {
		r.size = uint32(c.Size)
	}
	r.listed++
	sh.set(key, r)
	return listed
}

// countHere is how many files of the shard are here.
func (sh *shard) countHere() (n int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, r := range sh.refs {
		if r.here() {
			n++
		}
	}
	return n
}

// here reports whether the file of chunk d is here, as far as is known.
func (t *table) here(d api.Digest) bool {
	sh, key := t.lock(d)
	defer sh.mu.Unlock()
	return sh.refs[key].here()
}
