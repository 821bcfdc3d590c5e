package forward

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/realm-mesh/realm/api"
)

// UnknownError says that no member has the workload.
type UnknownError struct{ api.Ref }

func (e *UnknownError) Error() string {
	return fmt.Sprintf("no %s %q in this mesh: see what there is with: realm status", e.Kind, e.Name)
}

// UnavailableError says that the workload exists, but that no member takes
// requests for it now. Nothing was acted on.
type UnavailableError struct {
	api.Ref
	Why  string
	Soon bool // it may be otherwise in a moment
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("%s %q does not answer: %s", e.Kind, e.Name, e.Why)
}

// InterruptedError says that the connection to a member broke with the request in
// its hands: whether it was acted on is not known.
type InterruptedError struct {
	api.Ref
	Peer api.PeerID
	Err  error
}

func (e *InterruptedError) Error() string {
	return fmt.Sprintf("%s %q on member %s broke off and may or may not have run (%v): send it again if running twice does no harm",
		e.Kind, e.Name, e.Peer.Short(), e.Err)
}

func (e *InterruptedError) Unwrap() error { return e.Err }

// BodyError says that the request itself could not be read to its end.
type BodyError struct{ Err error }

func (e *BodyError) Error() string { return "read the request: " + e.Err.Error() }

func (e *BodyError) Unwrap() error { return e.Err }

// notDialled reports whether err means that no connection came about.
func notDialled(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// closedIdle reports whether the request went out on a connection that the daemon had
// closed before: it has not read it. net/http has no name for that error, and sends only
// requests again of which it knows that twice does no harm.
func closedIdle(err error) bool {
	return strings.HasSuffix(err.Error(), "http: server closed idle connection")
}
