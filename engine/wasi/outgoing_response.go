package wasi

import (
	"net/http"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// outgoingResponse is a response that the guest makes.
type outgoingResponse struct {
	headers *fields
	status  uint16
	body    *message
}

func (r *outgoingResponse) drop(g *Guest) {
	r.release(g)
	r.body.pipe.leave(errGone)
}

// release has the guest hold the response no more.
func (r *outgoingResponse) release(g *Guest) {
	r.headers.drop(g)
	r.body.release(g)
}

func outgoingResponseFunctions() map[string]Function {
	type response = outgoingResponse
	return map[string]Function{
		"[constructor]outgoing-response": plain(func(c *call) (any, error) {
			h := get[wit.Handle](c, 0)
			if c.err != nil {
				return nil, c.err
			}
			headers, err := c.takeFields(h)
			if err != nil {
				return nil, err
			}
			r := &response{headers: headers, status: http.StatusOK}
			r.body = newMessage(c.g, headers.set, HTTPResponseBodySize)
			return c.g.own(r, 0)
		}),
		"[method]outgoing-response.status-code": method(func(_ *call, r *response) (any, error) { return r.status, nil }),
		"[method]outgoing-response.set-status-code": with1(func(_ *call, r *response, status uint16) (any, error) {
			ok := status >= http.StatusOK && status <= maxStatus
			if ok {
				r.status = status
			}
			return done(ok), nil
		}),
		"[method]outgoing-response.headers": method(func(c *call, r *response) (any, error) { return c.view(r.headers) }),
		"[method]outgoing-response.body": method(func(c *call, r *response) (any, error) {
			return c.outgoingBody(r.body)
		}),
	}
}

// maxStatus is the highest status of HTTP: all have three digits. The lowest that a guest
// may give is 200: those below are no responses yet.
const maxStatus = 999

// outparam is where the guest puts its response.
type outparam struct{ *Response }

func (o *outparam) drop(*Guest) { o.decide(nil, ErrNoResponse) }

func outparamFunctions() map[string]Function {
	return map[string]Function{"[static]response-outparam.set": plain(func(c *call) (any, error) {
		o := handed[*outparam](c, 0)
		result := get[wit.Choice](c, 1)
		if c.err != nil {
			return nil, c.err
		}
		if !result.IsOk() {
			code, err := arg[wit.Choice]([]any{result.Value}, 0)
			o.decide(nil, httpErrorOf(code))
			return nil, err
		}
		h, err := arg[wit.Handle]([]any{result.Value}, 0)
		if err != nil {
			return nil, err
		}
		r, err := takes[*outgoingResponse](c.g, h)
		if err != nil {
			o.decide(nil, ErrNoResponse)
			return nil, err
		}
		r.release(c.g)
		if failure := o.finishUntaken(r); failure != nil {
			o.decide(nil, failure)
			return nil, nil
		}
		o.decide(&head{r.status, r.headers.set, r.body}, nil)
		return nil, nil
	})}
}

// finishUntaken ends a body that the guest has not asked for.
func (o *outparam) finishUntaken(r *outgoingResponse) error {
	if r.body.taken {
		return nil
	}
	if o.request.Method == http.MethodHead || r.status == http.StatusNotModified {
		r.body.length = -1 // its headers are of a body that is not sent
	}
	if failure := r.body.finish(nil); failure != nil {
		return failure
	}
	return nil
}
