package program

import (
	"errors"
	"net/http"

	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// NoRoom reports whether err says that this node's disk has no room for a program, or
// for what is compiled from it. Other nodes may have.
func NoRoom(err error) bool {
	said := new(local.StatusError)
	return disk.IsFull(err) || errors.As(err, &said) && said.Status == http.StatusInsufficientStorage
}
