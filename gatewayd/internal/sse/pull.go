package sse

import (
	"context"
	"errors"
	"io"
)

// Context derives a context that ends with the daemon's streams, too. cancel must be called.
func (s *Stream[T]) Context(parent context.Context) (ctx context.Context, cancel func()) {
	ctx, cancel = context.WithCancel(parent)
	go func() {
		select {
		case <-s.hub.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// Pull writes events as next makes them, one at a time, in place of [Stream.Run]: for what
// can be held back by a slow client. next may wait until ctx, which [Stream.Context] has
// made, ends; some is false where there was nothing for a while. With [io.EOF] the stream
// ends, and over says why.
func (s *Stream[T]) Pull(ctx context.Context, next func() (e Event, some bool, err error), over string) {
	for err := s.flush(); err == nil; err = s.flush() {
		e, some, err := next()
		switch {
		case err == nil && some:
			err = s.put(e)
		case err == nil:
			s.buf.WriteString(":\n\n")
		}
		if err == nil {
			continue
		}
		select {
		case <-s.gone:
		case <-s.hub.ended:
			s.last("end", "the node is stopping")
		default:
			if errors.Is(err, io.EOF) && ctx.Err() == nil {
				s.last("end", over)
			} else {
				s.last("incomplete", "it was broken off: begin again")
			}
		}
		return
	}
}
