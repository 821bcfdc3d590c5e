package runnerd

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/gate"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/internal/kit/trace"
	"github.com/realm-mesh/realm/runnerd/internal/workload"
)

// maxCall caps the body of a call, in bytes.
const maxCall = api.MaxExec

// endpoints answer on the daemon's socket.
type endpoints struct {
	set      *workload.Set
	metrics  *metrics
	calls    *gate.Gate // of functions
	requests *gate.Gate // to components
	services http.Handler
	tracer   *trace.Tracer
	log      *slog.Logger
}

func (e *endpoints) register(mux *http.ServeMux) {
	mux.HandleFunc(api.RouteFunction, e.function)
	mux.HandleFunc(api.RouteComponent, e.component)
	mux.Handle(api.RouteService, e.tracer.Joined("service", e.services))
}

func (e *endpoints) function(w http.ResponseWriter, r *http.Request) {
	ref := api.Ref{Kind: api.KindFunction, Name: api.Name(r.PathValue("name"))}
	begun := time.Now()
	r, span := e.join(r, ref)
	result, err := e.call(r, ref)
	e.done(ref, begun, err)
	span.Fail(err)
	span.End()
	if err != nil {
		e.fail(w, ref, err)
		return
	}
	local.WriteJSON(w, http.StatusOK, api.CallReply{Result: result})
}

func (e *endpoints) call(r *http.Request, ref api.Ref) (json.RawMessage, error) {
	f, release, err := e.set.Function(ref.Name)
	if err != nil {
		return nil, &notAcceptedError{err}
	}
	defer release()
	body, err := api.ReadAll(r.Body, maxCall)
	if err != nil {
		return nil, &requestError{err}
	}
	var req api.CallRequest
	if err := api.Decode(body, maxCall, &req); err != nil {
		return nil, &requestError{err}
	}
	leave, err := e.enter(r.Context(), e.calls, ref)
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, span := e.tracer.Child(r.Context(), "guest")
	defer span.End()
	result, err := f.Call(ctx, req.Args)
	span.Fail(err)
	return result, err
}

// join begins the span of a request, if the gateway has begun a trace.
func (e *endpoints) join(r *http.Request, ref api.Ref) (*http.Request, *trace.Span) {
	r, span := e.tracer.Join(r, "run "+string(ref.Kind))
	span.Set("realm.workload", ref.String())
	return r, span
}

func (e *endpoints) component(w http.ResponseWriter, r *http.Request) {
	ref := api.Ref{Kind: api.KindComponent, Name: api.Name(r.PathValue("name"))}
	begun := time.Now()
	err := errAborted // stays when the answer breaks off
	r, span := e.join(r, ref)
	defer func() {
		e.done(ref, begun, err)
		span.Fail(err)
		span.End()
	}()
	if err = e.serve(w, r, ref); err != nil {
		e.fail(w, ref, err)
	}
}

func (e *endpoints) serve(w http.ResponseWriter, r *http.Request, ref api.Ref) error {
	p, release, err := e.set.Component(ref.Name)
	if err != nil {
		return &notAcceptedError{err}
	}
	defer release()
	leave, err := e.enter(r.Context(), e.requests, ref)
	if err != nil {
		return err
	}
	defer leave()
	ctx, span := e.tracer.Child(r.Context(), "guest")
	defer span.End()
	span.Into(ctx, r.Header) // what the guest begins in its turn is below it
	err = p.Serve(w, r, r.PathValue("path"))
	span.Fail(err)
	return err
}

// enter waits for a place.
func (e *endpoints) enter(ctx context.Context, g *gate.Gate, ref api.Ref) (leave func(), err error) {
	_, span := e.tracer.Child(ctx, "wait")
	defer span.End()
	leave, err = g.Enter(ctx, ref.String())
	span.Fail(err)
	if err != nil {
		return nil, &notAcceptedError{err}
	}
	return leave, nil
}

// done counts a call or request that has ended.
func (e *endpoints) done(ref api.Ref, begun time.Time, err error) {
	// A name that nobody has deployed must not make a series of its own.
	label := ref.String()
	if isUnknown(err) {
		label = "unknown"
	}
	e.metrics.calls.WithLabelValues(label, outcome(err)).Inc()
	e.metrics.seconds.WithLabelValues(label).Observe(time.Since(begun).Seconds())
}

// fail answers with err.
func (e *endpoints) fail(w http.ResponseWriter, ref api.Ref, err error) {
	reply := api.ErrorReply{Error: ref.String() + ": " + err.Error()}
	code := status(err)
	switch {
	case errors.Is(err, context.Canceled):
		return // the caller has gone: nobody reads it
	case isNotAccepted(err):
		w.Header().Set(api.HeaderNotAccepted, "1")
		if isUnknown(err) {
			w.Header().Set(api.HeaderNotAccepted, api.NotAcceptedUnknown)
		}
		reply.Tail, _ = tailOf(err)
		if code == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}
	case code >= http.StatusInternalServerError:
		var own bool
		if reply.Tail, own = tailOf(err); !own {
			reply.Tail = e.set.Tail(ref)
		}
		e.log.Debug("a call failed", telemetry.KeyWorkload, ref.String(), telemetry.Error(err))
	}
	w.Header().Set(api.HeaderFailed, "1")
	local.WriteJSON(w, code, reply)
}
