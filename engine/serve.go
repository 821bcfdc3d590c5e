package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/realm-mesh/realm/engine/wasi"
)

// ErrCut is wrapped by the error of [Module.Serve] where the response has begun: the
// handler must break off the connection, by panicking with [http.ErrAbortHandler].
var ErrCut = wasi.ErrCut

// ErrNoResponse says that a program has ended, or has let go of the request, without a
// response.
var ErrNoResponse = wasi.ErrNoResponse

// Serve makes an instance that answers r by wasi:http/incoming-handler, and returns when
// the response has ended. Where it fails nothing was sent, unless the error wraps
// [ErrCut]; it is how the guest has ended, [ErrNoResponse], a [wasi.HTTPError] that the guest gave
// in place of a response, or the cause of r's context.
//
// ctx is the guest's: it may go on when the response has ended, until it is done or ctx
// ends. Then ended is called with how it did, once, before or after Serve returns.
// Errors are those of [Module.Run].
func (m *Module) Serve(ctx context.Context, env Env, w http.ResponseWriter, r *http.Request, ended func(error)) error {
	i := m.instance()
	s := &serving{response: make(chan *wasi.Response, 1), over: make(chan struct{})}
	i.launch(ctx, func() error {
		if err := i.open(ctx, env); err != nil {
			return err
		}
		return i.within(ctx, func(ctx context.Context) error { return i.handle(ctx, w, r, s) })
	}, func(err error) {
		s.err = err
		close(s.over)
		if response := s.begun.Load(); response != nil && errors.Is(err, ErrRunaway) {
			response.Abandon(err) // the guest will not for a while
		}
		i.Close()
		ended(err)
	})
	return s.wait() //nolint:contextcheck // the response has the context of r
}

// serving is a request on its way.
type serving struct {
	response chan *wasi.Response // gets one when the guest is there to answer
	begun    atomic.Pointer[wasi.Response]
	over     chan struct{} // closed when the guest has ended
	err      error         // then: how
}

func (s *serving) wait() error {
	var response *wasi.Response
	select {
	case response = <-s.response:
	case <-s.over:
		select {
		case response = <-s.response: // both
		default:
			return s.err // before it could answer
		}
	}
	err := response.Serve()
	if err == nil {
		return nil
	}
	select {
	case <-s.over:
	default:
		return err
	}
	switch {
	case s.err == nil:
		return err
	case errors.Is(err, ErrNoResponse):
		return s.err // which is why
	}
	return fmt.Errorf("%w: %w", err, s.err)
}

// handle has the component answer r.
func (i *Instance) handle(ctx context.Context, w http.ResponseWriter, r *http.Request, s *serving) error {
	if ctx.Err() != nil {
		return context.Cause(ctx) // as a runaway it may have no client any more
	}
	request, out, response, err := i.world.Incoming(w, r)
	if err != nil {
		return err
	}
	s.begun.Store(response)
	s.response <- response
	return i.parts.Handle(ctx, request, out)
}

// launch runs fn in a goroutine of the guest's own, and tells end how that ended: after the
// end of ctx, in a moment at the latest.
func (i *Instance) launch(ctx context.Context, fn func() error, end func(error)) {
	if err := i.begins(); err != nil {
		end(err)
		return
	}
	var once sync.Once
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(stopGrace, func() {
			if i.giveUp() {
				once.Do(func() { end(errors.Join(context.Cause(ctx), ErrRunaway)) })
			}
		})
	})
	i.module.workers.do(func() {
		err := i.perform(ctx, fn)
		stop()
		once.Do(func() { end(err) })
	})
}
