package catchup

import (
	"sync"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
)

// maxRefused is how many intents are remembered, of one member and in all.
const (
	maxRefused    = 20_000
	maxRefusedAll = 100_000
)

// refused remembers what was not taken, and from whom: what one member has served
// badly may come well from another. What is forgotten is fetched once more.
type refused struct {
	mu   sync.Mutex
	of   map[peer.ID]map[api.Digest]struct{}
	size int
}

func (r *refused) add(p peer.ID, d api.Digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil || r.size >= maxRefusedAll {
		r.of, r.size = map[peer.ID]map[api.Digest]struct{}{}, 0
	}
	of := r.of[p]
	if of == nil || len(of) >= maxRefused {
		r.size -= len(of)
		of = map[api.Digest]struct{}{}
		r.of[p] = of
	}
	if _, ok := of[d]; !ok {
		of[d] = struct{}{}
		r.size++
	}
}

func (r *refused) has(p peer.ID, d api.Digest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.of[p][d]
	return ok
}

func (r *refused) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.of, r.size = nil, 0
}
