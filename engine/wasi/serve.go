package wasi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// ErrNoResponse is returned by [Response.Serve] if the guest has not answered.
var ErrNoResponse = errors.New("the program has ended without a response")

// ErrCut is wrapped by the error of [Response.Serve] if the response has begun and will
// not be whole: the handler must panic with [http.ErrAbortHandler], so that the client
// sees that.
var ErrCut = errors.New("the response was cut")

// Response is a guest's response to a request, on its way from the one to the other.
type Response struct {
	w       http.ResponseWriter
	request *http.Request
	body    *serverBody

	once    sync.Once
	decided chan struct{} // closed when there is a head, or err
	head    *head
	err     error
}

// head is what a response begins with, and its body.
type head struct {
	status  uint16
	headers *fieldSet
	body    *message
}

// Incoming returns what a guest's incoming-handler.handle takes, for a request to a
// server of package http, and the response. The handler must call [Response.Serve], on a
// goroutine other than the guest's, and return when it has: the guest may go on then.
//
// A body is read from when the guest first looks at it, and 100-continue is sent then. When
// the request's context ends, which is when the client has gone, reading and writing fail.
func (g *Guest) Incoming(w http.ResponseWriter, r *http.Request) (request, outparamHandle wit.Handle, resp *Response, err error) {
	resp = &Response{w: w, request: r, decided: make(chan struct{})}
	resp.body = &serverBody{pipe: newPipe(g), body: r.Body, interrupt: http.NewResponseController(w).SetReadDeadline}
	if strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
		resp.body.waits = func() { w.WriteHeader(http.StatusContinue) }
	}
	headers := &fields{set: fieldsOf(r.Header), fixed: true}
	source := &piped{pipe: resp.body.pipe, start: func() { resp.body.start(g) }, stop: func() { resp.body.pipe.leave(errGone) }}
	in := &incomingRequest{request: r, headers: headers, wanted: &resp.body.wanted, body: &arrival{source, func() http.Header { return r.Trailer }}}
	if request, err = g.own(in, 0); err == nil {
		outparamHandle, err = g.own(&outparam{resp}, 0)
	}
	if err != nil {
		resp.decide(nil, err)
	}
	return request, outparamHandle, resp, err
}

// decide sets what the response is, the first time.
func (r *Response) decide(h *head, err error) {
	r.once.Do(func() {
		r.head, r.err = h, err
		close(r.decided)
	})
}

// Abandon ends the response, whatever the guest does, with err: where the guest cannot be
// waited for. Any goroutine may call it.
func (r *Response) Abandon(err error) {
	r.decide(nil, err)
	if r.head != nil {
		r.head.body.pipe.finish(err)
	}
}

// Serve sends the response as the guest makes it, and returns when that has ended. Unless
// its error wraps [ErrCut] nothing has been sent: the error is [ErrNoResponse], an
// [HTTPError] of the guest's, or that of the request's context.
func (r *Response) Serve() error {
	controller := http.NewResponseController(r.w)
	defer r.body.end()
	ctx := r.request.Context()
	defer context.AfterFunc(ctx, func() { r.body.pipe.finish(context.Cause(ctx)) })()
	select {
	case <-r.decided:
	case <-ctx.Done():
		r.decide(nil, context.Cause(ctx))
	}
	<-r.decided
	if r.err != nil {
		return r.err
	}
	message := r.head.body
	defer message.pipe.leave(errGone)
	defer context.AfterFunc(ctx, func() { message.pipe.leave(context.Cause(ctx)) })()
	r.begin(controller)
	if err := r.copy(controller); err != nil {
		_ = controller.Flush() // the client gets what there is
		return fmt.Errorf("%w: %w", ErrCut, err)
	}
	if message.trailers != nil {
		_ = controller.Flush() // else package http tells the length of a short body, behind which are none
		for name, values := range message.trailers.header() {
			r.w.Header()[http.TrailerPrefix+name] = values
		}
	}
	return nil
}

// begin sends the head. Behind it a client could not be told any more to go on with a body
// which the guest is going to read.
func (r *Response) begin(controller *http.ResponseController) {
	r.body.goOn(r.body.wanted.Load(), true)
	h := r.w.Header()
	if !r.body.whole() {
		// The guest may still read: without this the server would read all there is first.
		// In HTTP/1 the server cannot go on to another request after that.
		_ = controller.EnableFullDuplex()
		if r.request.ProtoMajor == 1 {
			h.Set("Connection", "close")
		}
	}
	for name, values := range r.head.headers.header() {
		h[name] = values
	}
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // nobody is to guess one
	}
	r.w.WriteHeader(int(r.head.status))
}

// copy sends the body: what the guest has written is sent at once.
func (r *Response) copy(controller *http.ResponseController) error {
	p := r.head.body.pipe
	piece := pieces.Get().(*[pumpBytes]byte) //nolint:forcetypeassert // nothing else is in it
	defer pieces.Put(piece)
	b := piece[:]
	for {
		if !p.readable() {
			if err := controller.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return fmt.Errorf("send response: %w", err)
			}
		}
		n, err := p.Read(b)
		if n > 0 {
			if _, err := r.w.Write(b[:n]); err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
				return fmt.Errorf("send response: %w", err)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// serverBody is the body of a request to a server.
type serverBody struct {
	pipe      *pipe
	body      io.ReadCloser
	interrupt func(time.Time) error // ends what reads the body
	wanted    atomic.Bool           // the guest has taken it

	waits   func()     // tells a client to go on that waits for that; nil: none does
	waiting sync.Mutex // for it
	told    bool       // it was, or it is too late

	mu      sync.Mutex
	ended   bool          // the server takes the body away
	reading chan struct{} // closed when nobody reads any more; nil: nobody has
}

// start begins to read, unless it is too late.
func (s *serverBody) start(g *Guest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		s.pipe.finish(errGone)
		return
	}
	s.reading = make(chan struct{})
	g.beside.Go(func() {
		defer close(s.reading)
		s.pipe.pump(s)
	})
}

// goOn has a client go on that waits until somebody wants the body. When the head is sent it
// is too late for that.
func (s *serverBody) goOn(wanted, head bool) {
	if s.waits == nil {
		return
	}
	s.waiting.Lock()
	defer s.waiting.Unlock()
	if wanted && !s.told {
		s.waits()
	}
	s.told = s.told || wanted || head
}

// whole reports whether the body has been read, or there is none.
func (s *serverBody) whole() bool {
	return s.body == nil || s.body == http.NoBody || s.pipe.whole()
}

// Read implements [io.Reader], with the errors of requests.
func (s *serverBody) Read(b []byte) (int, error) {
	s.goOn(true, false)
	n, err := s.body.Read(b)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		err = &HTTPError{Code: HTTPRequestBodySize, Detail: wit.Some(uint64(large.Limit)), Err: err}
	case errors.Is(err, io.ErrUnexpectedEOF):
		err = &HTTPError{Code: ConnectionTerminated, Err: err}
	}
	return n, err
}

// end returns when nobody reads the body any more: the server must have it to itself
// before its handler returns.
func (s *serverBody) end() {
	s.mu.Lock()
	s.ended = true
	reading := s.reading
	s.mu.Unlock()
	s.pipe.leave(errGone)
	if reading == nil {
		s.pipe.finish(errGone)
		return
	}
	select {
	case <-reading:
		return
	default:
	}
	// It waits for bytes that may never come. The connection is of no use then.
	if err := s.interrupt(time.Now()); err != nil {
		s.body.Close()
	}
	<-reading
}
