package store

import (
	"sync"

	"github.com/realm-mesh/realm/api"
)

// Lease keeps a blob, whole or partial, from being removed until release is
// called. Leases add up; release may be called more than once.
func (s *Store) Lease(d api.Digest) (release func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leases[d]++
	return sync.OnceFunc(func() { s.unlease(d) })
}

func (s *Store) unlease(d api.Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leases[d]--; s.leases[d] == 0 {
		delete(s.leases, d)
	}
}

// Leased reports whether a blob is leased.
func (s *Store) Leased(d api.Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leases[d] > 0
}
