package public

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

// Stall is how long a client may neither send nor take a byte that is due.
const Stall = 60 * time.Second

// Until an answer begins, a body that is waited for must come at MinRate on average, after
// Grace. From then on the program and the client may be talking with each other, in their
// own time, and the body is bound by [Stall] alone.
const (
	MinRate = 1 << 10 // bytes a second
	Grace   = 30 * time.Second
)

// pace is how slow a client may be.
type pace struct {
	stall, grace time.Duration
	rate         int64 // bytes a second
}

var ordinary = pace{Stall, Grace, MinRate}

// client is the other side of a request: it notes the status and cuts a connection
// that is too slow. How long a program thinks is not limited here.
type client struct {
	http.ResponseWriter
	control *http.ResponseController
	pace    pace
	status  int   // 0: none yet
	body    *body // nil: there is none
}

// guard watches over w and the body of r.
func guard(w http.ResponseWriter, r *http.Request, p pace) *client {
	c := &client{ResponseWriter: w, control: http.NewResponseController(w), pace: p}
	if r.Body != nil && r.Body != http.NoBody {
		c.body = &body{ReadCloser: r.Body, control: c.control, pace: p}
		r.Body = c.body
	}
	return c
}

// extend begins a new period for the write that follows. A writer without
// deadlines has none to extend.
func (c *client) extend() { _ = c.control.SetWriteDeadline(time.Now().Add(c.pace.stall)) }

// end covers what the server sends when the handler has returned.
func (c *client) end() { c.extend() }

// begin notes that the answer begins.
func (c *client) begin(status int) {
	if c.status != 0 {
		return
	}
	c.status = status
	if c.body != nil {
		c.body.answered()
	}
}

func (c *client) WriteHeader(status int) {
	if status >= http.StatusOK {
		c.begin(status)
	}
	c.extend()
	c.ResponseWriter.WriteHeader(status)
}

func (c *client) Write(b []byte) (int, error) {
	c.begin(http.StatusOK)
	c.extend()
	return c.ResponseWriter.Write(b)
}

// FlushError implements what [http.ResponseController.Flush] looks for.
func (c *client) FlushError() error {
	c.begin(http.StatusOK)
	c.extend()
	return c.control.Flush()
}

// Unwrap implements what [http.ResponseController] looks for.
func (c *client) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// body is that of a request; each read has a deadline of its own.
type body struct {
	io.ReadCloser
	control *http.ResponseController
	pace    pace

	waited time.Duration // in reads
	got    int64         // bytes

	mu      sync.Mutex
	free    bool // the answer has begun
	reading bool
}

func (b *body) Read(p []byte) (int, error) {
	begun := time.Now()
	b.enter(begun)
	n, err := b.ReadCloser.Read(p)
	b.waited += time.Since(begun)
	b.got += int64(n)
	slow := b.leave(err != nil)
	if slow && err == nil {
		err = fmt.Errorf("%w: it came with less than %d bytes a second", os.ErrDeadlineExceeded, b.pace.rate)
	}
	return n, err
}

func (b *body) enter(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = true
	limit := b.pace.stall
	if !b.free {
		limit = min(limit, b.allowed()-b.waited)
	}
	b.until(now.Add(limit))
}

// leave reports whether what has come so far is too little.
func (b *body) leave(ended bool) (slow bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	if ended {
		// From here on the server itself reads, to see the client leave.
		b.until(time.Time{})
	}
	return !b.free && b.waited > b.allowed()
}

// allowed is how long one may have waited for what has come.
func (b *body) allowed() time.Duration {
	return max(b.pace.grace, time.Duration(b.got/b.pace.rate)*time.Second)
}

// answered lets the client take its time.
func (b *body) answered() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.free = true
	if b.reading {
		b.until(time.Now().Add(b.pace.stall))
	}
}

// until sets the end of a read. A connection without deadlines has none.
func (b *body) until(t time.Time) { _ = b.control.SetReadDeadline(t) }
