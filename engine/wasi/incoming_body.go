package wasi

import (
	"errors"
	"io"
	"net/http"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// arrival is the body of a request or response on its way in, and its trailers.
type arrival struct {
	*piped
	trailer func() http.Header // once the body has been read
}

// incomingBody is a body that the guest reads.
type incomingBody struct {
	*arrival
	taken bool // its stream
}

func (b *incomingBody) drop(*Guest) { b.stop() }

// bodySource is the stream of a body, which the body outlives.
type bodySource struct{ *arrival }

func (bodySource) close() {}

func (s bodySource) read(n int) ([]byte, error) {
	b, err := s.piped.read(n)
	return b, inHTTP(err)
}

// futureTrailers are trailers that come after what is left of a body.
type futureTrailers struct {
	*arrival
	got bool
}

func (f *futureTrailers) drop(*Guest) { f.stop() }

// ready throws away what is left of the body.
func (f *futureTrailers) ready() bool {
	f.begin()
	for {
		b, err := f.take(maxMove)
		if len(b) == 0 {
			return err != nil
		}
	}
}

func (f *futureTrailers) get(c *call) (any, error) {
	switch {
	case !f.ready():
		return wit.None(), nil
	case f.got:
		return wit.Some(wit.Error(nil)), nil
	}
	f.got = true
	if _, err := f.take(0); !errors.Is(err, io.EOF) {
		return wit.Some(wit.Ok(wit.Error(httpError(err).value()))), nil
	}
	trailer := fieldsOf(f.trailer())
	if len(trailer.list) == 0 {
		return wit.Some(wit.Ok(wit.Ok(wit.None()))), nil
	}
	if err := c.countFields(trailer.bytes); err != nil {
		return nil, err
	}
	h, err := c.g.own(&fields{set: trailer, fixed: true, counted: true}, 0)
	return wit.Some(wit.Ok(wit.Ok(wit.Some(h)))), err
}

func incomingBodyFunctions() map[string]Function {
	return map[string]Function{
		"[method]incoming-body.stream": method(func(c *call, b *incomingBody) (any, error) {
			if b.taken {
				return wit.Error(nil), nil
			}
			b.taken = true
			h, err := c.g.own(&inputStream{source: bodySource{b.arrival}}, c.self())
			return wit.Ok(h), err
		}),
		"[static]incoming-body.finish": plain(func(c *call) (any, error) {
			b := handed[*incomingBody](c, 0)
			if c.err != nil {
				return nil, c.err
			}
			return c.g.own(&futureTrailers{arrival: b.arrival}, 0)
		}),
		"[method]future-trailers.subscribe": method(func(c *call, f *futureTrailers) (any, error) {
			return c.subscribe(f, c.self())
		}),
		"[method]future-trailers.get": method(func(c *call, f *futureTrailers) (any, error) { return f.get(c) }),
	}
}
