package p2p

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// recordSize is how much TLS encrypts and writes at once.
const recordSize = 16 << 10

// recordConn is what TLS reads from and writes to. It bounds what is read until the
// handshake is done, and can hold back what is written, to hand the kernel all records of
// a frame of the muxer by one call: a call for each costs a fifth more time of both sides.
type recordConn struct {
	net.Conn
	left int
	done bool

	writing atomic.Bool // what was held back

	mu     sync.Mutex
	holds  bool
	behind []byte // what is held back
}

func (c *recordConn) Read(b []byte) (int, error) {
	if c.done {
		return c.Conn.Read(b)
	}
	if c.left == 0 {
		return 0, fmt.Errorf("more than %d bytes before the handshake was done", maxHandshake)
	}
	n, err := c.Conn.Read(b[:min(len(b), c.left)])
	c.left -= n
	return n, err
}

// Write is called for one record after the other.
func (c *recordConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	if c.holds {
		c.behind = append(c.behind, b...)
		c.mu.Unlock()
		return len(b), nil
	}
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// hold has what is written wait for release, in buf.
func (c *recordConn) hold(buf []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holds, c.behind = true, buf
}

// release writes what waits. It returns the memory of that.
func (c *recordConn) release() ([]byte, error) {
	c.mu.Lock()
	b := c.behind
	c.holds, c.behind = false, nil
	c.mu.Unlock()
	c.writing.Store(true)
	defer c.writing.Store(false)
	_, err := c.Conn.Write(b)
	return b[:0], err
}

// held are the memory of what is held back.
var held = sync.Pool{New: func() any { return new([]byte) }}

// Write implements [net.Conn].
func (c *secureConn) Write(b []byte) (int, error) {
	c.write.Lock()
	defer c.write.Unlock()
	if len(b) <= recordSize {
		return c.Conn.Write(b)
	}
	buf := held.Get().(*[]byte)
	defer held.Put(buf)
	c.records.hold(*buf)
	n, err := c.Conn.Write(b)
	var failed error
	if *buf, failed = c.records.release(); err == nil && failed != nil {
		return 0, failed
	}
	return n, err
}

// Close implements [net.Conn]. It does not wait for a peer that takes nothing: TLS would
// have its farewell stand in line.
func (c *secureConn) Close() error {
	if c.records.writing.Load() {
		return c.records.Close()
	}
	return c.Conn.Close()
}
