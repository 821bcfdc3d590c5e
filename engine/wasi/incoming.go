package wasi

import (
	"net/http"
	"sync/atomic"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// incomingRequest is a request that the guest is to answer.
type incomingRequest struct {
	request *http.Request
	headers *fields
	body    *arrival
	taken   bool         // the body
	wanted  *atomic.Bool // likewise, for others
}

func (r *incomingRequest) drop(g *Guest) {
	r.headers.drop(g)
	if !r.taken {
		r.body.stop()
	}
}

func (r *incomingRequest) scheme() string {
	switch {
	case r.request.URL.Scheme != "":
		return r.request.URL.Scheme
	case r.request.TLS != nil:
		return "https"
	}
	return "http"
}

func incomingRequestFunctions() map[string]Function {
	type request = incomingRequest
	return map[string]Function{
		"[method]incoming-request.method": method(func(_ *call, r *request) (any, error) {
			return methodValue(r.request.Method), nil
		}),
		"[method]incoming-request.path-with-query": method(func(_ *call, r *request) (any, error) {
			return textOption(r.request.URL.RequestURI()), nil
		}),
		"[method]incoming-request.scheme": method(func(_ *call, r *request) (any, error) {
			return wit.Some(schemeValue(r.scheme())), nil
		}),
		"[method]incoming-request.authority": method(func(_ *call, r *request) (any, error) {
			return textOption(r.request.Host), nil
		}),
		"[method]incoming-request.headers": method(func(c *call, r *request) (any, error) { return c.view(r.headers) }),
		"[method]incoming-request.consume": method(func(c *call, r *request) (any, error) {
			r.wanted.Store(true)
			return c.consume(r.body, &r.taken)
		}),
	}
}

// consume returns a body, the first time.
func (c *call) consume(body *arrival, taken *bool) (any, error) {
	if *taken {
		return wit.Error(nil), nil
	}
	*taken = true
	h, err := c.g.own(&incomingBody{arrival: body}, 0)
	return wit.Ok(h), err
}

// incomingResponse is a response to a request of the guest's.
type incomingResponse struct {
	headers *fields
	status  uint16
	body    *arrival
	taken   bool // the body
}

func (r *incomingResponse) drop(g *Guest) {
	r.headers.drop(g)
	if !r.taken {
		r.body.stop()
	}
}

func incomingResponseFunctions() map[string]Function {
	type response = incomingResponse
	return map[string]Function{
		"[method]incoming-response.status":  method(func(_ *call, r *response) (any, error) { return r.status, nil }),
		"[method]incoming-response.headers": method(func(c *call, r *response) (any, error) { return c.view(r.headers) }),
		"[method]incoming-response.consume": method(func(c *call, r *response) (any, error) { return c.consume(r.body, &r.taken) }),
	}
}
