package engine

import "sync"

// stock remembers how much a cache holds, which its compiler alone fills: to look at
// thousands of modules takes longer than to compile one.
type stock struct {
	mu    sync.Mutex
	known bool
	bytes int64 // that the cache holds, at most
}

// add counts a module that was compiled.
func (s *stock) add(c Cache, d Digest) {
	size := sizeBelow(c.folder(d))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += size
}

// prune is [Cache.prune], once and whenever there may be more than limit bytes. It leaves
// some room, so that this is seldom.
func (s *stock) prune(c Cache, limit int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known && s.bytes <= limit {
		return nil
	}
	left, err := c.prune(limit, limit-limit/16)
	s.known, s.bytes = err == nil, left
	return err
}
