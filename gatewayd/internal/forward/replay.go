package forward

import (
	"errors"
	"io"
	"net/http"
	"sync"
)

// MaxReplay is how much of a request's body may have been read, in bytes, for the
// request to be sent again.
const MaxReplay = 64 << 10

var errRevoked = errors.New("the request goes elsewhere")

// replay gives out the bytes of a body to one attempt after another. It keeps
// what was read until that is more than [MaxReplay].
//
// A transport may go on to read the body of an attempt that has failed; what it
// gets hold of is kept for the next one.
type replay struct {
	src     io.Reader  // nil: there is no body
	reading sync.Mutex // held while src is read, which may take long; before mu

	mu   sync.Mutex
	kept []byte
	gone bool     // kept no longer begins at the start
	bad  error    // how src failed
	now  *attempt // the only one that is still served
}

func newReplay(body io.Reader) *replay {
	if body == nil || body == http.NoBody {
		return &replay{}
	}
	return &replay{src: body}
}

// next gives the body to a new attempt, and takes it from the one before. It
// returns false when too much of it has gone.
func (r *replay) next() (io.ReadCloser, bool) {
	if r.src == nil {
		return http.NoBody, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		return nil, false
	}
	r.now = &attempt{from: r}
	return r.now, true
}

// attempt is the body of one attempt.
type attempt struct {
	from *replay
	pos  int // of from.kept
}

func (a *attempt) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if n, err := a.readKept(p); n > 0 || err != nil {
		return n, err
	}
	r := a.from
	r.reading.Lock()
	defer r.reading.Unlock()
	if n, err := a.readKept(p); n > 0 || err != nil { // by another attempt, meanwhile
		return n, err
	}
	n, err := r.src.Read(p)
	return a.keep(p[:n], err)
}

// readKept reads what an attempt before has read already; 0 if there is no more.
func (a *attempt) readKept(p []byte) (int, error) {
	r := a.from
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now != a {
		return 0, errRevoked
	}
	if r.gone {
		return 0, nil
	}
	n := copy(p, r.kept[a.pos:])
	a.pos += n
	return n, nil
}

// keep notes what a has just read from the source.
func (a *attempt) keep(b []byte, err error) (int, error) {
	r := a.from
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && err != io.EOF { //nolint:errorlint // a Reader returns io.EOF itself
		r.bad = err
	}
	stale := r.now != a
	switch {
	case r.gone:
	case !stale && len(r.kept)+len(b) > MaxReplay:
		r.gone, r.kept = true, nil
	default:
		r.kept = append(r.kept, b...)
		a.pos += len(b)
	}
	if stale {
		return 0, errRevoked
	}
	return len(b), err
}

// Close leaves the source open: it belongs to who made the request.
func (a *attempt) Close() error { return nil }

// failure is how reading the source failed, if it did.
func (r *replay) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bad
}
