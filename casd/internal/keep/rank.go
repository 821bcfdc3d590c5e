package keep

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"

	"github.com/realm-mesh/realm/api"
)

// candidate is a member that can keep blobs.
type candidate struct {
	peer api.PeerID
	hash uint64
}

func newCandidate(p api.PeerID) candidate {
	sum := sha256.Sum256([]byte(p))
	return candidate{p, binary.BigEndian.Uint64(sum[:])}
}

// score is that of rendezvous hashing: the candidates with the highest ones keep the
// blob. Which of two is the higher does not depend on who else there is, so that a
// member that comes or goes moves nothing but what it keeps itself.
func (c candidate) score(blob api.Digest) uint64 {
	return mix(binary.BigEndian.Uint64(blob[:]) ^ c.hash)
}

// before reports whether c comes before o for a blob.
func (c candidate) before(o candidate, blob api.Digest) bool {
	return cmp.Or(cmp.Compare(o.score(blob), c.score(blob)), cmp.Compare(c.peer, o.peer)) < 0
}

// mix makes 64 bits out of 64 bits such that each depends on all: the last step of
// SplitMix64 (G. Steele, D. Lea and C. Flood, "Fast splittable pseudorandom number
// generators", 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// first are those of all that keep so many copies of a blob, at most [api.MaxKeep], by
// rank. The order of all does not matter; each must be there once.
func first(blob api.Digest, copies int, all []candidate) (out [api.MaxKeep]candidate, n int) {
	for _, c := range all {
		i := n
		for i > 0 && c.before(out[i-1], blob) {
			i--
		}
		if i == copies {
			continue
		}
		n = min(n+1, copies)
		copy(out[i+1:n], out[i:])
		out[i] = c
	}
	return out, n
}

// keepers are the ids of [first].
func keepers(blob api.Digest, copies int, all []candidate) []api.PeerID {
	list, n := first(blob, copies, all)
	out := make([]api.PeerID, 0, n)
	for _, c := range list[:n] {
		out = append(out, c.peer)
	}
	return out
}

// keeps reports whether c is one of those that keep so many copies of a blob, were it one
// of all.
func (c candidate) keeps(blob api.Digest, copies int, all []candidate) bool {
	n := 0
	for _, o := range all {
		if o.peer != c.peer && o.before(c, blob) {
			n++
		}
	}
	return n < copies
}
