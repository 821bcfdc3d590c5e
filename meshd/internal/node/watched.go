package node

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/meshd/internal/neighbours"
)

const (
	// silence is how long an answer may not begin before the member is asked whether it is
	// there at all; again is the pause between two such questions. A program may think for
	// long, and a machine that has stopped, or a line that was cut, closes no connection.
	silence = 500 * time.Millisecond
	again   = time.Second
)

// watchedTrips gives up a request to a member that does not answer a ping either.
type watchedTrips struct {
	next  http.RoundTripper
	probe func(context.Context, peer.ID) error // such as [neighbours.Watch.Probe]
}

// RoundTrip implements [http.RoundTripper].
func (t watchedTrips) RoundTrip(r *http.Request) (*http.Response, error) {
	p, err := peer.Decode(r.URL.Hostname())
	if err != nil {
		return nil, err
	}
	w := &vigil{peer: p, probe: t.probe}
	// It ends with that of r, and not before: the body of the answer needs it.
	w.ctx, w.giveUp = context.WithCancelCause(r.Context())
	var sent atomic.Bool
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }}
	w.begin()
	resp, err := t.next.RoundTrip(r.WithContext(httptrace.WithClientTrace(w.ctx, trace))) //nolint:contextcheck // it is made of that of r
	if w.end() && err != nil && r.Context().Err() == nil {
		err = neighbours.ErrSilent
		if !sent.Load() {
			err = &net.OpError{Op: "dial", Net: "libp2p", Err: err}
		}
	}
	return resp, err
}

// vigil watches over one request until its answer begins.
type vigil struct {
	peer   peer.ID
	probe  func(context.Context, peer.ID) error
	ctx    context.Context //nolint:containedctx // of the request
	giveUp context.CancelCauseFunc

	mu     sync.Mutex
	timer  *time.Timer
	over   bool // the answer has begun, or there is none
	silent bool // the request was given up
}

func (v *vigil) begin() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.timer = time.AfterFunc(silence, v.look)
}

// look asks whether the member is there.
func (v *vigil) look() {
	err := v.probe(v.ctx, v.peer)
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.over:
	case errors.Is(err, neighbours.ErrSilent):
		v.silent = true
		v.giveUp(err)
	default:
		v.timer.Reset(again)
	}
}

// end ends the watch, and reports whether the request was given up.
func (v *vigil) end() (silent bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.over = true
	v.timer.Stop()
	return v.silent
}
