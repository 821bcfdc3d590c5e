package store

import (
	"sync"

	"github.com/realm-mesh/realm/api"
)

// Lease keeps a blob, whole or partial, from being removed until release is
// called: what is found of it from now on stays. Leases add up; release may be called
// more than once.
func (s *Store) Lease(d api.Digest) (release func()) {
	s.lease(d)
	// Who looked whether it is leased before it was has removed its index by now.
	s.names.Lock()
	s.names.Unlock() //nolint:staticcheck // nothing is to be done with it held
	return sync.OnceFunc(func() { s.unlease(d) })
}

func (s *Store) lease(d api.Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leases[d]++
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
