package wasi

import (
	"errors"
	"io"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// source is where the bytes of an input stream are from.
type source interface {
	event
	// read returns up to n bytes that are there, none if there are none yet, and
	// [io.EOF] at the end. It does not wait. The bytes are good until it is called again.
	read(n int) ([]byte, error)
	// close releases it.
	close()
}

// inputStream is a stream that guests read.
type inputStream struct {
	source
	ended bool // its end, or its failure, has been told
}

func (s *inputStream) drop(*Guest) { s.close() }

// ready is true also of a stream that has ended: there is nothing to wait for.
func (s *inputStream) ready() bool { return s.ended || s.source.ready() }

func inputFunctions() map[string]Function {
	return map[string]Function{
		"[method]input-stream.read":          with1(reads(false)),
		"[method]input-stream.blocking-read": with1(reads(true)),
		"[method]input-stream.skip":          with1(skips(false)),
		"[method]input-stream.blocking-skip": with1(skips(true)),
		"[method]input-stream.subscribe": method(func(c *call, s *inputStream) (any, error) {
			return c.subscribe(s, c.self())
		}),
	}
}

func reads(wait bool) func(*call, *inputStream, uint64) (any, error) {
	return func(c *call, s *inputStream, n uint64) (any, error) {
		b, err := c.read(s, n, wait)
		return c.streamed(b, err)
	}
}

func skips(wait bool) func(*call, *inputStream, uint64) (any, error) {
	return func(c *call, s *inputStream, n uint64) (any, error) {
		b, err := c.read(s, n, wait)
		return c.streamed(uint64(len(b)), err)
	}
}

// streamFailure is the failure of a stream, which the guest is told of. Any other error
// ends the guest.
type streamFailure struct{ err error }

func (f streamFailure) Error() string { return f.err.Error() }
func (f streamFailure) Unwrap() error { return f.err }

// read reads up to n bytes, of which there are none if it is not to wait for them.
func (c *call) read(s *inputStream, n uint64, wait bool) ([]byte, error) {
	if wait && n > 0 {
		if err := c.g.wait(c.ctx, s); err != nil {
			return nil, err
		}
	}
	if s.ended {
		return nil, streamFailure{io.EOF}
	}
	b, err := s.read(int(min(n, maxMove)))
	if err != nil {
		s.ended = true
		return nil, streamFailure{err}
	}
	return b, c.g.work(c.ctx, len(b))
}

// streamed is the result of a function of a stream.
func (c *call) streamed(v any, err error) (any, error) {
	var failure streamFailure
	switch {
	case err == nil:
		if b, ok := v.([]byte); ok && b == nil {
			v = []byte{}
		}
		return wit.Ok(v), nil
	case !errors.As(err, &failure):
		return nil, err
	case errors.Is(failure.err, io.EOF), errors.Is(failure.err, errGone):
		return wit.Error(wit.Choice{Case: 1}), nil // closed
	}
	h, err := c.g.own(&ioError{failure.err}, 0)
	if err != nil {
		return nil, err
	}
	return wit.Error(wit.Choice{Value: h}), nil // last-operation-failed
}

// ioError is why a stream has failed.
type ioError struct{ err error }

func (*ioError) drop(*Guest) {}

func errorFunctions() map[string]Function {
	return map[string]Function{
		"[method]error.to-debug-string": method(func(_ *call, e *ioError) (any, error) {
			return valid(e.err.Error()), nil
		}),
	}
}

// nothing is a source of nothing.
type nothing struct{ always }

func (nothing) read(int) ([]byte, error) { return nil, io.EOF }
func (nothing) close()                   {}

// piped is a source that a goroutine of the host fills, from when it is first looked at.
type piped struct {
	*pipe
	start func() // nil: it has been started
	stop  func()
}

func (p *piped) begin() {
	if p.start != nil {
		p.start()
		p.start = nil
	}
}

func (p *piped) ready() bool {
	p.begin()
	return p.readable()
}

func (p *piped) read(n int) ([]byte, error) {
	p.begin()
	if n == 0 && !p.readable() {
		return nil, nil
	}
	return p.take(n)
}

func (p *piped) close() { p.stop() }
