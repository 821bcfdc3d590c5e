package cgi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/realm-mesh/realm/api"
)

// MaxUnknownBody is the longest request body, in bytes, that is taken without
// having been told its length.
const MaxUnknownBody = 16 << 20

// ErrLengthRequired says that a request's body is long and its length not told.
var ErrLengthRequired = fmt.Errorf("a body of more than %d MiB needs its length told before it (Content-Length)", MaxUnknownBody>>20)

// stdin is the body of a request as a program reads it.
type stdin struct {
	ended atomic.Bool // nothing more comes
	whole atomic.Bool // because all has come

	mu     sync.Mutex
	from   io.Reader
	closed bool
}

// measure returns the length of the body, of which told is what the client says
// (-1 for nothing): -1 where there is none.
func (s *stdin) measure(told int64) (int64, error) {
	switch {
	case s.from == nil || s.from == http.NoBody:
		s.from = bytes.NewReader(nil)
		s.ended.Store(true)
		s.whole.Store(true)
		return -1, nil
	case told >= 0:
		return told, nil
	}
	b, err := api.ReadAll(s, MaxUnknownBody)
	if errors.Is(err, api.ErrTooLarge) {
		return 0, ErrLengthRequired
	}
	if err != nil {
		return 0, fmt.Errorf("read request: %w", err)
	}
	s.from = bytes.NewReader(b)
	return int64(len(b)), nil
}

// Read implements [io.Reader].
func (s *stdin) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, errClosed
	}
	n, err := s.from.Read(p)
	if err != nil {
		s.whole.Store(err == io.EOF)
		s.ended.Store(true)
	}
	return n, err
}

// spare has a connection take no other request behind a body of which not all was read.
// The server would read the rest itself, and what it starts at the end of a body that is
// answered while it comes would be in its way: https://go.dev/issue/68560.
func (s *stdin) spare(answer http.Header) {
	if !s.whole.Load() {
		answer.Set("Connection", "close")
	}
}

func (s *stdin) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
}
