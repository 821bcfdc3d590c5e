package public

import (
	"errors"
	"net/http"
	"os"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/forward"
)

// Values of Retry-After, in seconds.
const (
	retrySoon  = "1"
	retryLater = "15"
)

func unavailable(err error) (retryAfter string, ok bool) {
	var u *forward.UnavailableError
	if !errors.As(err, &u) {
		return "", false
	}
	if u.Soon {
		return retrySoon, true
	}
	return retryLater, true
}

// statusOf is the HTTP status of an error of [forward.Sender.Send].
func statusOf(err error) int {
	var (
		unknown     *forward.UnknownError
		unavailable *forward.UnavailableError
		tooLarge    *http.MaxBytesError
		body        *forward.BodyError
	)
	switch {
	case errors.As(err, &unknown):
		return http.StatusNotFound
	case errors.As(err, &unavailable):
		return http.StatusServiceUnavailable
	case !errors.As(err, &body):
		return http.StatusBadGateway
	case errors.As(err, &tooLarge), errors.Is(err, api.ErrTooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return http.StatusRequestTimeout
	}
	return http.StatusBadRequest
}
