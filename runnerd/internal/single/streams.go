package single

import (
	"bytes"
	"context"
	"io"
)

// maxPiece is the most bytes that are read or written at a time.
const maxPiece = 64 << 10

// input is a stream that nobody waits for once the program is to end: a terminal may
// have nothing to say for hours, and reading it cannot be interrupted. What is read after
// that is lost; so the process must end, too.
type input struct {
	ctx    context.Context //nolint:containedctx // it is the life of the stream
	cancel context.CancelFunc
	from   io.Reader

	reading chan piece // a read that is on its way; nil: none is
	rest    piece      // of what was read
}

// piece is what was read at once.
type piece struct {
	b   []byte
	err error
}

func newInput(ctx context.Context, from io.Reader) *input {
	ctx, cancel := context.WithCancel(ctx)
	return &input{ctx: ctx, cancel: cancel, from: from}
}

// Close has reads end, those under way too.
func (s *input) Close() error {
	s.cancel()
	return nil
}

// Read implements [io.Reader].
func (s *input) Read(p []byte) (int, error) {
	if len(s.rest.b) == 0 && s.rest.err == nil {
		if s.reading == nil {
			s.reading = make(chan piece, 1)
			go readPiece(s.from, min(len(p), maxPiece), s.reading)
		}
		select {
		case s.rest = <-s.reading:
			s.reading = nil
		case <-s.ctx.Done():
			return 0, context.Cause(s.ctx)
		}
	}
	if n := copy(p, s.rest.b); n > 0 {
		s.rest.b = s.rest.b[n:]
		return n, nil
	}
	return 0, s.rest.err
}

func readPiece(from io.Reader, size int, to chan<- piece) {
	b := make([]byte, size)
	n, err := from.Read(b)
	to <- piece{b[:n], err}
}

// output is a stream that nobody waits for once the program is to end: the other end of
// a pipe may not read.
type output struct {
	ctx context.Context //nolint:containedctx // it is the life of the stream
	to  io.Writer
}

// Write implements [io.Writer].
func (s *output) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		b := bytes.Clone(p[:min(len(p), maxPiece)]) // what is left to itself must not look at p
		written := make(chan piece, 1)
		go func() {
			n, err := s.to.Write(b)
			written <- piece{b[:n], err}
		}()
		select {
		case w := <-written:
			n += len(w.b)
			if w.err != nil {
				return n, w.err
			}
		case <-s.ctx.Done():
			return n, context.Cause(s.ctx)
		}
		p = p[len(b):]
	}
	return n, nil
}
