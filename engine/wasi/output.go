package wasi

import (
	"io"
)

// sink is where the bytes of an output stream go.
type sink interface {
	// room is how many bytes it takes now. Its error is why it will take none any more.
	room() (int, error)
	// put takes bytes that there is room for.
	put(c *call, b []byte) error
	// flushed reports whether all it took is where it should be.
	flushed() bool
	// close releases it.
	close()
}

// outputStream is a stream that guests write.
type outputStream struct {
	sink
	granted  int  // bytes that the guest may write, as it was told
	flushing bool // and takes nothing meanwhile
	ended    bool // its failure has been told
}

func (s *outputStream) drop(*Guest) { s.close() }

// free is what may be written now.
func (s *outputStream) free() (int, error) {
	n, err := s.room()
	if err != nil {
		return 0, err
	}
	if s.flushing && !s.flushed() {
		return 0, nil
	}
	s.flushing = false
	return min(n, maxMove), nil
}

func (s *outputStream) ready() bool {
	n, err := s.free()
	return s.ended || n > 0 || err != nil
}

// quiet is when a stream has been flushed.
type quiet struct{ *outputStream }

func (q quiet) ready() bool {
	_, err := q.room()
	return err != nil || q.flushed()
}

func outputFunctions() map[string]Function {
	return map[string]Function{
		"[method]output-stream.check-write": method(func(c *call, s *outputStream) (any, error) {
			n, err := c.check(s)
			return c.streamed(uint64(n), err)
		}),
		"[method]output-stream.write": with1(func(c *call, s *outputStream, b []byte) (any, error) {
			return c.streamed(nil, c.writeGranted(s, uint64(len(b)), bytesOf(b)))
		}),
		"[method]output-stream.blocking-write-and-flush": with1(func(c *call, s *outputStream, b []byte) (any, error) {
			return c.streamed(nil, c.writeAndFlush(s, uint64(len(b)), bytesOf(b)))
		}),
		"[method]output-stream.flush": method(func(c *call, s *outputStream) (any, error) {
			return c.streamed(nil, c.flush(s, false))
		}),
		"[method]output-stream.blocking-flush": method(func(c *call, s *outputStream) (any, error) {
			return c.streamed(nil, c.flush(s, true))
		}),
		"[method]output-stream.subscribe": method(func(c *call, s *outputStream) (any, error) {
			return c.subscribe(s, c.self())
		}),
		"[method]output-stream.write-zeroes": with1(func(c *call, s *outputStream, n uint64) (any, error) {
			return c.streamed(nil, c.writeGranted(s, n, zeroes))
		}),
		"[method]output-stream.blocking-write-zeroes-and-flush": with1(func(c *call, s *outputStream, n uint64) (any, error) {
			return c.streamed(nil, c.writeAndFlush(s, n, zeroes))
		}),
		"[method]output-stream.splice":          method(splices(false)),
		"[method]output-stream.blocking-splice": method(splices(true)),
	}
}

// piece is n bytes of what is written, from the one numbered at.
type piece func(at, n int) []byte

func bytesOf(b []byte) piece { return func(at, n int) []byte { return b[at : at+n] } }
func zeroes(_, n int) []byte { return make([]byte, n) }
func (s *outputStream) fail(err error) error {
	s.ended = true
	return streamFailure{err}
}

// check grants the guest what there is room for.
func (c *call) check(s *outputStream) (int, error) {
	if s.ended {
		return 0, streamFailure{io.EOF}
	}
	n, err := s.free()
	if err != nil {
		return 0, s.fail(err)
	}
	s.granted = n
	return n, nil
}

// write writes n bytes that there is room for.
func (c *call) write(s *outputStream, b []byte) error {
	if s.ended {
		return streamFailure{io.EOF}
	}
	if err := c.g.work(c.ctx, len(b)); err != nil {
		return err
	}
	if err := s.put(c, b); err != nil {
		return s.fail(err)
	}
	return nil
}

func (c *call) writeGranted(s *outputStream, n uint64, from piece) error {
	if n > uint64(s.granted) {
		return trap("write of %d bytes, where check-write has permitted %d", n, s.granted)
	}
	s.granted -= int(n)
	return c.write(s, from(0, int(n)))
}

// maxFlushed is the most that can be written and flushed in one call.
const maxFlushed = 4096

func (c *call) writeAndFlush(s *outputStream, n uint64, from piece) error {
	if n > maxFlushed {
		return trap("write and flush of %d bytes: at most %d in a call", n, maxFlushed)
	}
	for at := 0; at < int(n); {
		if err := c.g.wait(c.ctx, s); err != nil {
			return err
		}
		room, err := c.check(s)
		if err != nil {
			return err
		}
		part := min(int(n)-at, room)
		if err := c.write(s, from(at, part)); err != nil {
			return err
		}
		at += part
	}
	s.granted = 0
	return c.flush(s, true)
}

// flush begins to flush, and waits for it if it should.
func (c *call) flush(s *outputStream, wait bool) error {
	if s.ended {
		return streamFailure{io.EOF}
	}
	s.flushing, s.granted = true, 0
	if wait {
		if err := c.g.wait(c.ctx, quiet{s}); err != nil {
			return err
		}
	}
	if _, err := s.free(); err != nil {
		return s.fail(err)
	}
	return nil
}

func splices(wait bool) func(*call, *outputStream) (any, error) {
	return func(c *call, to *outputStream) (any, error) {
		from, n := borrowed[*inputStream](c, 1), get[uint64](c, 2)
		if c.err != nil {
			return nil, c.err
		}
		moved, err := c.splice(to, from, n, wait)
		return c.streamed(moved, err)
	}
}

// splice moves bytes from one stream into another.
func (c *call) splice(to *outputStream, from *inputStream, n uint64, wait bool) (uint64, error) {
	if wait && n > 0 {
		for _, e := range []event{to, from} {
			if err := c.g.wait(c.ctx, e); err != nil {
				return 0, err
			}
		}
	}
	room, err := c.check(to)
	if err != nil {
		return 0, err
	}
	b, err := c.read(from, min(n, uint64(room)), false)
	if err != nil {
		return 0, err
	}
	to.granted = 0
	return uint64(len(b)), c.write(to, b)
}

// written is a sink that a writer of the host takes everything from at once.
type written struct{ io.Writer }

func (written) room() (int, error) { return maxMove, nil }
func (written) flushed() bool      { return true }
func (written) close()             {}

func (w written) put(c *call, b []byte) (err error) {
	c.g.env.Idle(c.ctx, func() { _, err = w.Write(b) })
	return err
}
