package vigil

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"
)

// ErrSilent is what a probe says of somebody who does not answer.
var ErrSilent = errors.New("it does not answer at all")

const (
	// Silence is how long an answer may not begin before the other side is asked whether it
	// is there.
	Silence = 500 * time.Millisecond
	// Again is the pause between two such questions.
	Again = time.Second
)

// Transport passes requests on to Next, and watches over them until their answers begin. A
// request that is given up ends with an error that is what Probe said; it is a
// [*net.OpError] with Op "dial" if nothing of the request had been sent.
type Transport struct {
	Next http.RoundTripper
	// Probe asks whether who is to answer a request is there: an error that is [ErrSilent]
	// says no. Any other result lets the request wait on. It must bound its own time.
	Probe func(context.Context, *http.Request) error
}

// RoundTrip implements [http.RoundTripper].
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	w := &watch{req: r, probe: t.Probe}
	// It ends with that of r, and not before: the body of the answer needs it.
	w.ctx, w.giveUp = context.WithCancelCause(r.Context())
	var sent atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }}
	w.begin()
	resp, err := t.Next.RoundTrip(r.WithContext(httptrace.WithClientTrace(w.ctx, trace))) //nolint:contextcheck // it is made of that of r
	if why := w.end(); why != nil && err != nil && r.Context().Err() == nil {
		err = why
		if !sent.Load() {
			err = &net.OpError{Op: "dial", Net: r.URL.Host, Err: why}
		}
	}
	return resp, err
}

// CloseIdleConnections passes on what [http.Client] asks of a transport.
func (t Transport) CloseIdleConnections() {
	if c, ok := t.Next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// watch is over one request until its answer begins.
type watch struct {
	req    *http.Request
	probe  func(context.Context, *http.Request) error
	ctx    context.Context //nolint:containedctx // of the request
	giveUp context.CancelCauseFunc

	mu    sync.Mutex
	timer *time.Timer
	over  bool  // the answer has begun, or there is none
	why   error // the request was given up
}

func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(Silence, w.look)
}

// look asks whether the other side is there.
func (w *watch) look() {
	err := w.probe(w.ctx, w.req)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.over:
	case errors.Is(err, ErrSilent):
		w.why = err
		w.giveUp(err)
	default:
		w.timer.Reset(Again)
	}
}

// end ends the watch, and says why the request was given up, if it was.
func (w *watch) end() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	w.timer.Stop()
	return w.why
}
