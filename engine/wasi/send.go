package wasi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// exchange is a request of the guest's under way, and the answer to it.
type exchange struct {
	guest  *Guest
	ctx    context.Context         //nolint:containedctx // of the request
	cancel context.CancelCauseFunc // which ends it
	t      Timeouts
	freed  bool // it is counted no more

	mu       sync.Mutex
	answered bool
	response *http.Response // or err
	err      error
}

// handleOutgoing sends a request.
func handleOutgoing(c *call) (any, error) {
	r := handed[*outgoingRequest](c, 0)
	h, some := optional[wit.Handle](c, 1)
	var t Timeouts
	if c.err == nil && some {
		var o *requestOptions
		if o, c.err = takes[*requestOptions](c.g, h); c.err == nil {
			t = o.timeouts()
		}
	}
	if c.err != nil {
		return nil, c.err
	}
	x, failure := c.g.send(r, t)
	if failure != nil {
		r.drop(c.g)
		return wit.Error(failure.value()), nil
	}
	handle, err := c.g.own(&futureResponse{exchange: x}, 0)
	return wit.Ok(handle), err
}

// send begins to send a request.
func (g *Guest) send(r *outgoingRequest, t Timeouts) (*exchange, *HTTPError) {
	target, failure := r.target()
	switch {
	case failure != nil:
		return nil, failure
	case g.env.Sender == nil:
		return nil, &HTTPError{Code: HTTPRequestDenied}
	case r.method == http.MethodConnect:
		return nil, &HTTPError{Code: HTTPRequestMethodInvalid}
	case g.requests >= g.env.Limits.Requests:
		return nil, &HTTPError{Code: ConnectionLimitReached}
	}
	ctx, cancel := context.WithCancelCause(g.ctx)
	req, err := http.NewRequestWithContext(ctx, r.method, target.String(), nil)
	if err != nil {
		cancel(err)
		return nil, &HTTPError{Code: HTTPRequestURIInvalid, Err: err}
	}
	req.Header = r.headers.set.header()
	if req.Header.Get("User-Agent") == "" {
		req.Header["User-Agent"] = []string{""} // none: the guest is what it is
	}
	r.attach(req)
	r.release(g)
	g.requests++
	x := &exchange{guest: g, ctx: ctx, cancel: cancel, t: t}
	g.beside.Go(func() { x.run(req) })
	return x, nil
}

// attach gives req the body.
func (r *outgoingRequest) attach(req *http.Request) {
	r.sent = true
	m := r.body
	if !m.taken || m.length == 0 {
		// Nothing is written that could be read: see [bodySink.put].
		req.Body, req.ContentLength = http.NoBody, 0
		return
	}
	req.ContentLength = m.length
	req.Trailer = http.Header{}
	req.Body = &sentBody{message: m, trailer: req.Trailer}
}

// sentBody is the body of a request, as it is sent.
type sentBody struct {
	*message
	trailer http.Header
}

// Read implements [io.Reader]. At the end it fills in the trailers.
func (b *sentBody) Read(p []byte) (int, error) {
	n, err := b.pipe.Read(p)
	if errors.Is(err, io.EOF) && b.trailers != nil {
		for name, values := range b.trailers.header() {
			b.trailer[name] = values
		}
	}
	return n, err
}

// Close implements [io.Closer].
func (b *sentBody) Close() error {
	b.pipe.leave(errGone)
	return nil
}

// run sends the request and waits for the answer.
func (x *exchange) run(req *http.Request) {
	x.frame(req)
	stop := x.deadline(x.t.FirstByte, x.t.Connect)
	resp, err := x.send(req)
	stop()
	if err != nil && context.Cause(x.ctx) != nil {
		err = context.Cause(x.ctx)
	}
	if err != nil {
		_ = req.Body.Close() // it never fails
	}
	x.mu.Lock()
	x.answered, x.response, x.err = true, resp, err
	x.mu.Unlock()
	x.guest.notify()
	if resp != nil && x.ctx.Err() != nil { // perhaps nobody waits for it any more
		resp.Body.Close()
	}
}

// send has the sender send the request. A panic of its would end the process.
func (x *exchange) send(req *http.Request) (resp *http.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("send request: panic: %v", p)
		}
	}()
	resp, err = x.guest.env.Sender.Send(req, x.t)
	if resp == nil && err == nil {
		err = errors.New("the sender has neither a response nor an error")
	}
	return resp, err
}

// frame says how the length of the body is told, if it is not known. Methods that have a
// body rarely are sent without, if the guest ends it soon without a byte.
func (x *exchange) frame(req *http.Request) {
	b, ok := req.Body.(*sentBody)
	if !ok || req.ContentLength >= 0 {
		return
	}
	switch req.Method {
	case http.MethodPost, http.MethodPut, http.MethodPatch:
	default:
		if b.pipe.vacant(vacantWait) {
			req.Body, req.ContentLength = http.NoBody, 0
			return
		}
	}
	req.TransferEncoding = []string{"chunked"}
}

// vacantWait is how long a request waits for its body to show whether there is one.
const vacantWait = 200 * time.Millisecond

// deadline cancels the request after d and what is allowed beside it, unless it is stopped.
func (x *exchange) deadline(d, beside time.Duration) (stop func()) {
	if d <= 0 {
		return func() {}
	}
	t := time.AfterFunc(d+beside, func() { x.cancel(&HTTPError{Code: ConnectionReadTimeout}) })
	return func() { t.Stop() }
}

// end ends the request, whatever has become of it.
func (x *exchange) end() {
	if x.freed {
		return
	}
	x.freed = true
	x.guest.requests--
	x.cancel(errGone)
}

// closeBody ends a response whose body is not read by anybody.
func (x *exchange) closeBody() {
	x.end()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.response != nil {
		x.response.Body.Close()
	}
}

// arrival is the body of the response.
func (x *exchange) arrival() *arrival {
	resp, p := x.response, newPipe(x.guest)
	started := false
	start := func() {
		started = true
		x.guest.beside.Go(func() {
			defer resp.Body.Close()
			p.pump(&timedReader{x, resp.Body})
		})
	}
	stop := func() {
		p.leave(errGone)
		if started {
			x.end()
		} else {
			x.closeBody()
		}
	}
	return &arrival{&piped{pipe: p, start: start, stop: stop}, func() http.Header { return resp.Trailer }}
}

// timedReader reads the body of a response, each piece within the time for it.
type timedReader struct {
	*exchange
	io.Reader
}

// Read implements [io.Reader].
func (r *timedReader) Read(b []byte) (int, error) {
	stop := r.deadline(r.t.BetweenBytes, 0)
	n, err := r.Reader.Read(b)
	stop()
	if err != nil && !errors.Is(err, io.EOF) && context.Cause(r.ctx) != nil {
		err = context.Cause(r.ctx)
	}
	return n, err
}

// futureResponse is a response that is yet to come.
type futureResponse struct {
	*exchange
	got bool
}

func (f *futureResponse) drop(*Guest) {
	if !f.got {
		f.closeBody()
	}
}

func (f *futureResponse) ready() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.answered
}

func (f *futureResponse) get(c *call) (any, error) {
	switch {
	case !f.ready():
		return wit.None(), nil
	case f.got:
		return wit.Some(wit.Error(nil)), nil
	}
	f.got = true
	if f.response == nil {
		f.end()
		return wit.Some(wit.Ok(wit.Error(httpError(f.err).value()))), nil
	}
	headers := &fields{set: fieldsOf(f.response.Header), counted: true}
	r := &incomingResponse{headers: headers, status: uint16(f.response.StatusCode), body: f.arrival()}
	if err := c.countFields(headers.set.bytes); err != nil {
		f.closeBody()
		return nil, err
	}
	h, err := c.g.own(r, 0)
	return wit.Some(wit.Ok(wit.Ok(h))), err
}

func futureResponseFunctions() map[string]Function {
	return map[string]Function{
		"[method]future-incoming-response.subscribe": method(func(c *call, f *futureResponse) (any, error) {
			return c.subscribe(f, c.self())
		}),
		"[method]future-incoming-response.get": method(func(c *call, f *futureResponse) (any, error) { return f.get(c) }),
	}
}
