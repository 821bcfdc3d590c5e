package store

import (
	"os"

	"github.com/realm-mesh/realm/api"
)

// Has reports whether a blob is here, whole. Nothing of it is read: a disk that has lost
// some of it is found out when that is.
func (s *Store) Has(d api.Digest) bool {
	_, err := os.Lstat(s.indexPath(d, extWhole))
	return err == nil
}
