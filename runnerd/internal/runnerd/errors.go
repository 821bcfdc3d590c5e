package runnerd

import (
	"context"
	"errors"
	"net/http"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/internal/kit/gate"
	"github.com/realm-mesh/realm/runnerd/internal/cgi"
	"github.com/realm-mesh/realm/runnerd/internal/exchange"
	"github.com/realm-mesh/realm/runnerd/internal/function"
	"github.com/realm-mesh/realm/runnerd/internal/wasihttp"
	"github.com/realm-mesh/realm/runnerd/internal/workload"
)

// notAcceptedError wraps errors of calls that no program has seen: they may be
// sent to another node.
type notAcceptedError struct{ error }

func (e *notAcceptedError) Unwrap() error { return e.error }

// requestError wraps errors of calls that cannot be read.
type requestError struct{ error }

func (e *requestError) Unwrap() error { return e.error }

// errAborted says that an answer broke off.
var errAborted = errors.New("the answer broke off")

func isNotAccepted(err error) bool {
	not := new(notAcceptedError)
	return errors.As(err, &not)
}

func isUnknown(err error) bool { return errors.Is(err, workload.ErrUnknown) }

// tailOf are the last log lines of a workload that is not ready, or of the very call
// that has failed; ok: err knows them.
func tailOf(err error) (tail []string, ok bool) {
	if not := new(workload.NotReadyError); errors.As(err, &not) {
		return not.Tail, true
	}
	if failed := new(function.FailedError); errors.As(err, &failed) {
		return failed.Tail, true
	}
	return nil, false
}

// kinds of outcomes, with the HTTP status and the label of each.
type kind struct {
	status int
	label  string
}

// status is the HTTP status that says what err means to the caller.
func status(err error) int { return kindOf(err).status }

// outcome is the label of how a call has ended.
func outcome(err error) string { return kindOf(err).label }

func kindOf(err error) kind {
	var (
		notReady *workload.NotReadyError
		argument *function.ArgumentError
		request  *requestError
		late     *engine.DeadlineError
		fuel     *engine.FuelError
		stack    *engine.StackError
		memory   *engine.MemoryError
		stopped  *engine.StoppedError
		trap     *engine.Trap
		exit     *engine.ExitError
		header   *cgi.HeaderError
		output   *function.OutputError
		failed   *wasihttp.FailedError
	)
	switch {
	case err == nil:
		return kind{http.StatusOK, "ok"}
	case isUnknown(err), errors.Is(err, workload.ErrNoInterface):
		return kind{http.StatusNotFound, "unknown"}
	case errors.As(err, &notReady):
		return kind{http.StatusServiceUnavailable, "not_ready"}
	case errors.Is(err, gate.ErrBusy):
		return kind{http.StatusServiceUnavailable, "busy"}
	case errors.Is(err, api.ErrTooLarge):
		return kind{http.StatusRequestEntityTooLarge, "refused"}
	case errors.Is(err, exchange.ErrLengthRequired):
		return kind{http.StatusLengthRequired, "refused"}
	case errors.As(err, &argument), errors.As(err, &request):
		return kind{http.StatusBadRequest, "refused"}
	case errors.As(err, &output): // which may have been why the program was stopped
		return kind{http.StatusBadGateway, "failed"}
	case errors.As(err, &late):
		return kind{http.StatusGatewayTimeout, "deadline"}
	case errors.As(err, &failed):
		return kind{http.StatusInternalServerError, kindOf(failed.Err).label}
	case errors.As(err, &fuel):
		return kind{http.StatusBadGateway, "fuel"}
	case errors.As(err, &stack):
		return kind{http.StatusBadGateway, "stack"}
	case errors.As(err, &memory):
		return kind{http.StatusBadGateway, "memory"}
	case errors.As(err, &trap), errors.As(err, &exit), errors.As(err, &header), errors.Is(err, errAborted):
		return kind{http.StatusBadGateway, "failed"}
	case errors.Is(err, engine.ErrRunaway):
		return kind{http.StatusServiceUnavailable, "runaway"}
	case errors.Is(err, context.Canceled), errors.As(err, &stopped):
		return kind{http.StatusServiceUnavailable, "gone"}
	}
	return kind{http.StatusInternalServerError, "failed"}
}
