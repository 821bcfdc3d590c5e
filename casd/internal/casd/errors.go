package casd

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/collect"
	"github.com/realm-mesh/realm/casd/internal/fetch"
	"github.com/realm-mesh/realm/casd/internal/pins"
	"github.com/realm-mesh/realm/casd/internal/store"
	"github.com/realm-mesh/realm/internal/kit/disk"
)

// errRequest says that the request itself makes no sense.
var errRequest = errors.New("cannot read the request")

// status is the HTTP status that says what err means to the caller.
func status(err error) int {
	switch {
	case errors.Is(err, errRequest), errors.Is(err, store.ErrMismatch):
		return http.StatusBadRequest
	case errors.Is(err, errFile):
		return http.StatusPreconditionFailed
	case errors.Is(err, store.ErrNotFound), errors.Is(err, fetch.ErrNoProvider), errors.Is(err, pins.ErrNotPinned):
		return http.StatusNotFound
	case errors.Is(err, api.ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case disk.IsFull(err):
		return http.StatusInsufficientStorage
	case errors.Is(err, collect.ErrUnknown):
		return http.StatusServiceUnavailable
	case errors.Is(err, fetch.ErrUnreachable):
		return http.StatusBadGateway
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// advise adds what to do next, where the error alone does not say it.
func advise(err error, d api.Digest) error {
	switch {
	case errors.Is(err, store.ErrDamaged):
		return fmt.Errorf("%w: POST %s brings sound bytes from a peer that has them", err, api.PathBlobFetch(d))
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("%w: POST %s brings it from a peer that has it", err, api.PathBlobFetch(d))
	}
	return err
}
