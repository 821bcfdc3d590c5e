package cgi

import (
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/realm-mesh/realm/runnerd/internal/exchange"
)

// errClosed is what a program's streams say when its request is over.
var errClosed = errors.New("the request is over")

// errClientGone says that the client does not take the answer any more.
var errClientGone = errors.New("the client has gone")

// HeaderError says that what a program wrote is no CGI answer.
type HeaderError struct{ Text string }

func (e *HeaderError) Error() string { return "it gives no CGI answer: " + e.Text }

// response is the standard output of a program: header, then body.
type response struct {
	w       http.ResponseWriter
	rc      *http.ResponseController
	request *exchange.Body
	script  string
	stop    func(error) // ends the program

	mu   sync.Mutex
	head []byte // what has come of the header
	sent bool   // the header is on its way to the client
	err  error  // why nothing more is taken
}

// Write implements [io.Writer]. An error ends the program.
func (r *response) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		if r.err = r.take(p); r.err != nil {
			r.stop(r.err)
		}
	}
	if r.err != nil {
		return 0, r.err
	}
	return len(p), nil
}

func (r *response) take(p []byte) error {
	if r.sent {
		return r.body(p)
	}
	const most = maxHeader + len("\r\n\r\n")
	before := len(r.head)
	r.head = append(r.head, p[:min(len(p), most-before)]...)
	end, body, ok := headerEnd(r.head)
	if !ok && len(r.head) < most {
		return nil
	}
	if !ok || end > maxHeader {
		return &HeaderError{fmt.Sprintf("its header is longer than %d bytes", maxHeader)}
	}
	h, err := parseHead(r.head[:end])
	if err != nil {
		return &HeaderError{err.Error()}
	}
	r.head = nil
	r.begin(h)
	return r.body(p[body-before:])
}

func (r *response) begin(h head) {
	h.mount(r.script)
	to := r.w.Header()
	for name, values := range h.header {
		to[name] = values
	}
	if len(to["Content-Type"]) == 0 {
		to["Content-Type"] = nil // none, and none guessed
	}
	r.request.Spare(to)
	r.sent = true
	r.w.WriteHeader(h.status)
}

// body sends on what has come, at once.
func (r *response) body(p []byte) error {
	if len(p) > 0 {
		_, err := r.w.Write(p)
		if errors.Is(err, http.ErrBodyNotAllowed) {
			return nil // HEAD, 204, 304: there is nobody to read it
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errClientGone, err)
		}
	}
	if err := r.rc.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("%w: %w", errClientGone, err)
	}
	return nil
}

// close takes nothing more, and tells whether the header was sent, and if not what
// was wrong with it, if anything was.
func (r *response) close() (sent bool, bad error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sent, bad = r.sent, r.err
	r.err = errClosed
	return sent, bad
}
