package records

import (
	"container/heap"
	"slices"

	"github.com/realm-mesh/realm/api"
)

// share is the records of one member that are kept.
type share struct {
	n     int
	first byAge // what goes first; some in it are not kept any more
}

// fullest is the member with the most records, the one of plus counted as kept, and of
// those with as many the first by id: with more than [Most], it is one of its that goes.
// What is kept in the end does not depend on the order in which it came. s.mu is held.
func (s *Shelf) fullest(plus api.PeerID) (most api.PeerID) {
	n := 0
	for p, sh := range s.shares {
		has := sh.n
		if p == plus {
			has++
		}
		if has > n || has == n && p < most {
			n, most = has, p
		}
	}
	return most
}

// room reports whether there is a place for h, that of another one if need be; s.mu is held.
func (s *Shelf) room(h *held) bool {
	if len(s.all) < s.most {
		return true
	}
	p := s.fullest(h.rec.Peer)
	if p != h.rec.Peer {
		// A member of which nothing is kept is not among the shares; it comes after who
		// has one, as long as anybody has more than one.
		return s.shares[h.rec.Peer] != nil || s.shares[p].n > 1
	}
	return older(s.lowest(p), h) < 0
}

// lowest is what goes first of a member of which something is kept; s.mu is held.
func (s *Shelf) lowest(p api.PeerID) *held {
	first := &s.shares[p].first
	for s.all[(*first)[0].key] != (*first)[0] {
		heap.Pop(first)
	}
	return (*first)[0]
}

// shared takes h, which is kept now, to the share of its member; isNew: not in the place of
// another. s.mu is held.
func (s *Shelf) shared(h *held, isNew bool) {
	sh := s.shares[h.rec.Peer]
	if sh == nil {
		sh = &share{}
		s.shares[h.rec.Peer] = sh
	}
	if isNew {
		sh.n++
	}
	if heap.Push(&sh.first, h); len(sh.first) > 2*sh.n+100 { // most in it are not kept any more
		sh.first = slices.DeleteFunc(sh.first, func(h *held) bool { return s.all[h.key] != h })
		heap.Init(&sh.first)
	}
}

// unshared takes h, which is not kept any more, out of the share of its member; s.mu is held.
func (s *Shelf) unshared(h *held) {
	if sh := s.shares[h.rec.Peer]; sh.n > 1 {
		sh.n--
	} else {
		delete(s.shares, h.rec.Peer)
	}
}
