package p2p

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// countedConn counts writes, and can get stuck in them.
type countedConn struct {
	net.Conn
	mu     sync.Mutex
	sizes  []int
	stuck  chan struct{} // nil: it does not
	closed chan struct{}
	once   sync.Once
}

func (c *countedConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.sizes = append(c.sizes, len(b))
	stuck := c.stuck
	c.mu.Unlock()
	if stuck == nil {
		return len(b), nil
	}
	close(stuck)
	<-c.closed
	return 0, net.ErrClosed
}

func (c *countedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

// record writes as TLS does: a record after the other.
func record(c *recordConn, b []byte) {
	for ; len(b) > recordSize; b = b[recordSize:] {
		_, _ = c.Write(b[:recordSize])
	}
	_, _ = c.Write(b)
}

func TestRecordsAreWrittenTogether(t *testing.T) {
	below := &countedConn{closed: make(chan struct{})}
	c := &recordConn{Conn: below}
	record(c, make([]byte, 2*recordSize))
	if len(below.sizes) != 2 {
		t.Errorf("not held back: %v", below.sizes)
	}
	c.hold(nil)
	record(c, bytes.Repeat([]byte{1}, 4*recordSize))
	if len(below.sizes) != 2 {
		t.Errorf("held back: %v", below.sizes)
	}
	if b, err := c.release(); err != nil || cap(b) < 4*recordSize || len(below.sizes) != 3 || below.sizes[2] != 4*recordSize {
		t.Errorf("released: %v, %v", below.sizes, err)
	}
	record(c, make([]byte, 5))
	if len(below.sizes) != 4 {
		t.Errorf("afterwards: %v", below.sizes)
	}
}

// A connection whose peer takes nothing is closed at once, not after what waits.
func TestCloseWhileRecordsAreStuck(t *testing.T) {
	below := &countedConn{stuck: make(chan struct{}), closed: make(chan struct{})}
	records := &recordConn{Conn: below}
	c := &secureConn{Conn: tls.Client(records, &tls.Config{MinVersion: tls.VersionTLS13, ServerName: "peer"}), records: records}
	records.hold(nil)
	record(records, make([]byte, 4*recordSize))
	ended := make(chan error, 1)
	go func() { _, err := records.release(); ended <- err }()
	<-below.stuck
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		if !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("it is still stuck")
	}
}
