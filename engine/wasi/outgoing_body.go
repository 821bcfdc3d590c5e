package wasi

import (
	"errors"
	"io"
	"strconv"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// outgoingBody is a body that the guest writes.
type outgoingBody struct {
	*message
	written bool // there is, or was, a stream to write it
}

// message is the body of a request or response on its way out: what the guest has
// written, and what the host reads.
type message struct {
	pipe     *pipe
	wrong    HTTPCode // if its length is not as announced
	length   int64    // as announced; -1: it was not
	sent     int64
	trailers *fieldSet // set before the pipe ends
	taken    bool      // the guest has, or has had, the body
	held     bool      // it is counted, as the guest has not sent it yet
	over     bool      // finished, or cut
}

// errCut is the end of a body that was not finished.
var errCut = errors.New("the body was dropped before it was finished")

// newMessage returns a body to go with headers.
func newMessage(g *Guest, headers *fieldSet, wrong HTTPCode) *message {
	m := &message{pipe: newPipe(g), wrong: wrong, length: -1}
	for _, v := range headers.get("content-length") {
		b, _ := v.([]byte)
		if n, err := strconv.ParseInt(string(b), 10, 64); err == nil && n >= 0 {
			m.length = n
		}
	}
	return m
}

// outgoingBody returns a body, the first time.
func (c *call) outgoingBody(m *message) (any, error) {
	if m.taken {
		return wit.Error(nil), nil
	}
	if most := c.g.env.Limits.Unsent; c.g.unsent >= most {
		return nil, trap("it holds %d bodies of requests and responses that were not sent: send or drop some", most)
	}
	c.g.unsent++
	m.taken, m.held = true, true
	h, err := c.g.own(&outgoingBody{message: m}, 0)
	return wit.Ok(h), err
}

// release has the guest hold the body no more.
func (m *message) release(g *Guest) {
	if m.held {
		m.held = false
		g.unsent--
	}
}

// cut ends the body as one that is not whole.
func (m *message) cut(why error) {
	if !m.over {
		m.over = true
		m.pipe.finish(why)
	}
}

// finish ends the body.
func (m *message) finish(trailers *fieldSet) *HTTPError {
	if m.over {
		return httpError(errCut)
	}
	if m.length >= 0 && m.sent != m.length {
		err := m.wrongSize(m.sent)
		m.cut(err)
		return err
	}
	m.over = true
	m.trailers = trailers
	m.pipe.finish(io.EOF)
	return nil
}

func (m *message) wrongSize(n int64) *HTTPError {
	return &HTTPError{Code: m.wrong, Detail: wit.Some(uint64(n)), Err: errors.New("body and content-length differ")}
}

// drop cuts a body that was not finished.
func (b *outgoingBody) drop(*Guest) { b.cut(errCut) }

// bodySink is the stream of a body.
type bodySink struct{ *message }

func (s bodySink) room() (int, error) {
	n, err := s.pipe.room()
	return n, inHTTP(err)
}

// flushed is true at once: what is in the pipe is on its way, and the guest has nothing to
// do for it. A guest that flushes each piece would else have each sent by itself.
func (s bodySink) flushed() bool { return true }
func (s bodySink) close()        {}

func (s bodySink) put(_ *call, b []byte) error {
	if s.length >= 0 && s.sent+int64(len(b)) > s.length {
		err := s.wrongSize(s.sent + int64(len(b)))
		s.cut(err)
		return err
	}
	s.sent += int64(len(b))
	return inHTTP(s.pipe.put(b))
}

func outgoingBodyFunctions() map[string]Function {
	return map[string]Function{
		"[method]outgoing-body.write": method(func(c *call, b *outgoingBody) (any, error) {
			if b.written {
				return wit.Error(nil), nil
			}
			b.written = true
			h, err := c.g.own(&outputStream{sink: bodySink{b.message}}, c.self())
			return wit.Ok(h), err
		}),
		"[static]outgoing-body.finish": plain(func(c *call) (any, error) {
			b := handed[*outgoingBody](c, 0)
			h, some := optional[wit.Handle](c, 1)
			if c.err != nil {
				return nil, c.err
			}
			var trailers *fieldSet
			if some {
				f, err := c.takeFields(h)
				if err != nil {
					return nil, err
				}
				f.drop(c.g) // there is one for each body, at most
				trailers = f.set
			}
			if err := b.finish(trailers); err != nil {
				return wit.Error(err.value()), nil
			}
			return wit.Ok(nil), nil
		}),
	}
}
