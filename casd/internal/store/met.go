package store

import "github.com/realm-mesh/realm/api"

// OnDamage has fn told of blobs that count as missing because damage was met where they
// are read. It comes before anything is read. fn is called by who reads, and does not
// wait. What [Store.Check] finds its caller is told.
func (s *Store) OnDamage(fn func(blobs []api.Digest)) { s.onDamage = fn }

// met takes a chunk out of use that turned out damaged, or gone, where it was read.
func (s *Store) met(chunk api.Digest) error {
	blobs, err := s.lose(chunk)
	s.tell(blobs...)
	return err
}

func (s *Store) tell(blobs ...api.Digest) {
	if len(blobs) > 0 && s.onDamage != nil {
		s.onDamage(blobs)
	}
}
