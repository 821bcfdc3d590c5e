package edge

import (
	"context"
	"crypto/tls"
	"net/http"

	"github.com/realm-mesh/realm/internal/kit/ingress"
)

// Certs is where the certificates of an [Edge] come from.
type Certs interface {
	// Begin is called each time that the listeners are opened.
	Begin(public Public) (TLS, error)
}

// Public is what is public now, and a channel that is closed when it is otherwise.
type Public func() (table *ingress.Table, changed <-chan struct{})

// TLS is what serves HTTPS while the listeners are open.
type TLS struct {
	Config *tls.Config
	// Plain answers on the listener of HTTP what has to be answered there for the
	// certificates' sake, and has next answer all else.
	Plain func(next http.Handler) http.Handler
	Run   func(context.Context) error // ends with its context
}
