package wasi

import (
	"net/url"
	"strings"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// outgoingRequest is a request that the guest makes.
type outgoingRequest struct {
	headers *fields
	body    *message
	sent    bool

	method, path, authority string // path and authority: empty if they were not set
	scheme                  wit.Choice
}

// drop also ends the body of a request that was not sent.
func (r *outgoingRequest) drop(g *Guest) {
	if !r.sent {
		r.release(g)
		r.body.pipe.leave(errGone)
	}
}

// release has the guest hold the request no more.
func (r *outgoingRequest) release(g *Guest) {
	r.headers.drop(g)
	r.body.release(g)
	g.fields -= len(r.path) + len(r.authority)
}

func outgoingRequestFunctions() map[string]Function {
	type request = outgoingRequest
	return map[string]Function{
		"[constructor]outgoing-request": plain(newOutgoingRequest),
		"[method]outgoing-request.body": method(func(c *call, r *request) (any, error) {
			return c.outgoingBody(r.body)
		}),
		"[method]outgoing-request.headers": method(func(c *call, r *request) (any, error) { return c.view(r.headers) }),
		"[method]outgoing-request.method":  method(func(_ *call, r *request) (any, error) { return methodValue(r.method), nil }),
		"[method]outgoing-request.set-method": with1(func(_ *call, r *request, v wit.Choice) (any, error) {
			name, ok := methodName(v)
			if ok {
				r.method = name
			}
			return done(ok), nil
		}),
		"[method]outgoing-request.path-with-query": method(func(_ *call, r *request) (any, error) {
			return textOption(r.path), nil
		}),
		"[method]outgoing-request.set-path-with-query": setText(func(r *request) *string { return &r.path }, validPath),
		"[method]outgoing-request.scheme":              method(func(_ *call, r *request) (any, error) { return r.scheme, nil }),
		"[method]outgoing-request.set-scheme":          method(setScheme),
		"[method]outgoing-request.authority": method(func(_ *call, r *request) (any, error) {
			return textOption(r.authority), nil
		}),
		"[method]outgoing-request.set-authority": setText(func(r *request) *string { return &r.authority }, validAuthority),
	}
}

func newOutgoingRequest(c *call) (any, error) {
	h := get[wit.Handle](c, 0)
	if c.err != nil {
		return nil, c.err
	}
	headers, err := c.takeFields(h)
	if err != nil {
		return nil, err
	}
	r := &outgoingRequest{headers: headers, method: methods[0], scheme: wit.None()}
	r.body = newMessage(c.g, headers.set, HTTPRequestBodySize)
	return c.g.own(r, 0)
}

// setText sets a part of a request to an optional text.
func setText(part func(*outgoingRequest) *string, valid func(string) bool) Function {
	return method(func(c *call, r *outgoingRequest) (any, error) {
		text, some := optional[string](c, 1)
		if c.err != nil {
			return nil, c.err
		}
		if some && (len(text) > maxText || !valid(text)) {
			return done(false), nil
		}
		err := c.countFields(len(text) - len(*part(r)))
		*part(r) = text
		return done(true), err
	})
}

func setScheme(c *call, r *outgoingRequest) (any, error) {
	v, some := optional[wit.Choice](c, 1)
	if c.err != nil {
		return nil, c.err
	}
	scheme := wit.None()
	if some {
		if _, ok := schemeName(v); !ok {
			return done(false), nil
		}
		scheme = wit.Some(v)
	}
	r.scheme = scheme
	return done(true), nil
}

func validPath(s string) bool {
	if s == "" || s == "*" {
		return true
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '#' }) {
		return false
	}
	_, err := url.ParseRequestURI(s)
	return err == nil && (s[0] == '/' || s[0] == '?')
}

// validAuthority takes a host and perhaps a port, and no name of a user.
func validAuthority(s string) bool {
	u, err := url.Parse("http://" + s)
	return err == nil && u.Host == s && u.Hostname() != "" && u.User == nil &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// target is where the request goes.
func (r *outgoingRequest) target() (*url.URL, *HTTPError) {
	scheme := "https"
	if v, ok := r.scheme.Value.(wit.Choice); ok {
		scheme, _ = schemeName(v) // which was checked
	}
	if scheme != "http" && scheme != "https" || r.authority == "" {
		return nil, &HTTPError{Code: HTTPRequestURIInvalid}
	}
	path := r.path
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	u, err := url.Parse(scheme + "://" + r.authority + path)
	if err != nil {
		return nil, &HTTPError{Code: HTTPRequestURIInvalid, Err: err}
	}
	return u, nil
}
