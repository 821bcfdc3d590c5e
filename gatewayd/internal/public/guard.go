package public

import (
	"io"
	"net/http"
	"time"
)

// Stall is how long a client may neither send nor take a byte that is due.
const Stall = 60 * time.Second

// client is the other side of a request: it notes the status and cuts a connection
// that moves no byte for [Stall]. How long a program thinks is not limited here.
type client struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	status  int // 0: none yet
}

// guard watches over w and the body of r.
func guard(w http.ResponseWriter, r *http.Request, stall time.Duration) *client {
	c := &client{ResponseWriter: w, control: http.NewResponseController(w), stall: stall}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = &body{r.Body, c}
	}
	return c
}

// extend begins a new period for the write that follows. A writer without
// deadlines has none to extend.
func (c *client) extend() { _ = c.control.SetWriteDeadline(time.Now().Add(c.stall)) }

// end covers what the server sends when the handler has returned.
func (c *client) end() { c.extend() }

func (c *client) WriteHeader(status int) {
	if c.status == 0 && status >= http.StatusOK {
		c.status = status
	}
	c.extend()
	c.ResponseWriter.WriteHeader(status)
}

func (c *client) Write(b []byte) (int, error) {
	if c.status == 0 {
		c.status = http.StatusOK
	}
	c.extend()
	return c.ResponseWriter.Write(b)
}

// FlushError implements what [http.ResponseController.Flush] looks for.
func (c *client) FlushError() error {
	c.extend()
	return c.control.Flush()
}

// Unwrap implements what [http.ResponseController] looks for.
func (c *client) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// body is that of a request; each read has a deadline of its own.
type body struct {
	io.ReadCloser
	client *client
}

func (b *body) Read(p []byte) (int, error) {
	_ = b.client.control.SetReadDeadline(time.Now().Add(b.client.stall)) // see extend
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		// From here on the server itself reads, to see the client leave.
		_ = b.client.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
