package exchange

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

// errOver is what a body says when its request is over.
var errOver = errors.New("the request is over")

// Body is the body of a request as a program reads it.
type Body struct {
	ended atomic.Bool // nothing more comes
	whole atomic.Bool // because all has come

	mu     sync.Mutex
	from   io.Reader
	closed bool
}

// NewBody returns the body of r.
func NewBody(r *http.Request) *Body {
	b := &Body{from: r.Body}
	if r.Body == nil || r.Body == http.NoBody {
		b.from = bytes.NewReader(nil)
		b.ended.Store(true)
		b.whole.Store(true)
	}
	return b
}

// Measure returns the length of the body, of which told is what the client says
// (-1 for nothing): -1 where there is none.
func (b *Body) Measure(told int64) (int64, error) {
	switch {
	case b.whole.Load():
		return -1, nil
	case told >= 0:
		return told, nil
	}
	all, err := api.ReadAll(b, MaxUnknownBody)
	if errors.Is(err, api.ErrTooLarge) {
		return 0, ErrLengthRequired
	}
	if err != nil {
		return 0, fmt.Errorf("read request: %w", err)
	}
	b.from = bytes.NewReader(all)
	return int64(len(all)), nil
}

// Read implements [io.Reader].
func (b *Body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, errOver
	}
	n, err := b.from.Read(p)
	if err != nil {
		b.whole.Store(err == io.EOF)
		b.ended.Store(true)
	}
	return n, err
}

// Spare has a connection take no other request behind a body of which not all was read.
// The server would read the rest itself, and what it starts at the end of a body that is
// answered while it comes would be in its way: https://go.dev/issue/68560.
func (b *Body) Spare(answer http.Header) {
	if !b.whole.Load() {
		answer.Set("Connection", "close")
	}
}

// Close has later reads fail; one that is under way ends first.
func (b *Body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}
