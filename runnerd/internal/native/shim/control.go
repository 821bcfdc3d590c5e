package shim

import (
	"bufio"
	"encoding/json"
	"net"
	"sync"
	"time"

	"github.com/realm-mesh/realm/runnerd/internal/native"
)

// Bounds of the control socket, whose callers are of this node.
const (
	maxCallers = 64
	maxControl = 4 << 10 // bytes of an order
	pulse      = 50 * time.Millisecond
)

// control answers runnerd: it takes orders to stop, and tells when the log has grown.
type control struct {
	ln    *net.UnixListener
	stops chan<- time.Duration

	mu      sync.Mutex
	callers map[*net.UnixConn]struct{}
	pending bool // a pulse is on its way
	closed  bool
}

func newControl(ln *net.UnixListener, stops chan<- time.Duration) *control {
	return &control{ln: ln, stops: stops, callers: map[*net.UnixConn]struct{}{}}
}

func (c *control) serve() {
	for {
		conn, err := c.ln.AcceptUnix()
		if err != nil {
			return // it was closed
		}
		c.mu.Lock()
		full := c.closed || len(c.callers) == maxCallers
		if !full {
			c.callers[conn] = struct{}{}
		}
		c.mu.Unlock()
		if full {
			conn.Close()
			continue
		}
		go c.hear(conn)
	}
}

// hear reads one order, if one comes, and then waits for the caller to leave.
func (c *control) hear(conn *net.UnixConn) {
	defer func() {
		c.mu.Lock()
		delete(c.callers, conn)
		c.mu.Unlock()
		conn.Close()
	}()
	s := bufio.NewScanner(conn)
	s.Buffer(make([]byte, 0, 256), maxControl)
	for s.Scan() {
		var order native.Control
		if err := json.Unmarshal(s.Bytes(), &order); err != nil {
			return
		}
		if order.StopMillis != nil {
			select {
			case c.stops <- time.Duration(max(0, *order.StopMillis)) * time.Millisecond:
			case <-time.After(time.Second): // it is ending
			}
		}
	}
}

// grown tells all callers, a moment later, that there is more in the log.
func (c *control) grown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending || c.closed {
		return
	}
	c.pending = true
	time.AfterFunc(pulse, c.tell)
}

func (c *control) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = false
	for conn := range c.callers {
		// One that does not read has a full buffer, and knows already.
		_ = conn.SetWriteDeadline(time.Now().Add(time.Millisecond))
		_, _ = conn.Write([]byte{'.'})
	}
}

func (c *control) close() {
	c.ln.Close()
	c.tell()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for conn := range c.callers {
		conn.Close()
	}
}
