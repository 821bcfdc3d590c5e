package server

import (
	"container/list"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// MaxConns is how many connections a listener has at most.
const MaxConns = 16384

// conns bounds the connections of one listener. When there is no place for one more, it
// ends the one that has waited longest for a request to come, or to be whole: a client that
// keeps a connection for later opens another, and one that sends heads byte by byte
// has nothing else to lose. Where all are being answered, the newest is ended.
type conns struct {
	total, perAddress int
	metrics           connMetrics

	mu      sync.Mutex
	open    int
	of      map[netip.Prefix]int
	waiting *list.List // of *conn, the longest first
}

func newConns(total, perAddress int, m connMetrics) *conns {
	return &conns{total: total, perAddress: perAddress, metrics: m, of: map[netip.Prefix]int{}, waiting: list.New()}
}

// conn is one of them.
type conn struct {
	net.Conn
	in    *conns
	from  netip.Prefix  // the zero value: not counted by address
	place *list.Element // in waiting; nil: it is being answered
	once  sync.Once
}

// listener gives on of what ln accepts only what there is a place for.
func (c *conns) listener(ln net.Listener) net.Listener { return &bounded{ln, c} }

type bounded struct {
	net.Listener
	in *conns
}

func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c, ok := b.in.admit(c); ok {
			return c, nil
		}
	}
}

// admit counts nc, unless it is one too many; then nc is closed.
func (c *conns) admit(nc net.Conn) (*conn, bool) {
	n := &conn{Conn: nc, in: c, from: c.network(nc.RemoteAddr())}
	longest, ok := c.enter(n)
	switch {
	case !ok:
		abort(nc)
		return nil, false
	case longest != nil:
		abort(longest)
	}
	return n, true
}

// enter counts n and returns which connection has to go for it.
func (c *conns) enter(n *conn) (longest *conn, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n.from.IsValid() && c.of[n.from] >= c.perAddress {
		c.metrics.address.Inc()
		return nil, false
	}
	if c.open >= c.total {
		first := c.waiting.Front()
		if first == nil {
			c.metrics.full.Inc()
			return nil, false
		}
		c.metrics.waiting.Inc()
		longest, _ = c.waiting.Remove(first).(*conn)
		longest.place = nil
	}
	c.open++
	c.metrics.open.Inc()
	if n.from.IsValid() {
		c.of[n.from]++
	}
	n.place = c.waiting.PushBack(n)
	return longest, true
}

// network is what is counted as one address.
func (c *conns) network(a net.Addr) netip.Prefix {
	t, ok := a.(*net.TCPAddr)
	if !ok || c.perAddress == 0 {
		return netip.Prefix{}
	}
	ip := t.AddrPort().Addr().Unmap().WithZone("")
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	if ip.IsLoopback() {
		return netip.Prefix{}
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // as of the zero address
	}
	return p
}

// state is for [http.Server.ConnState]; nc may be a layer above.
func (c *conns) state(nc net.Conn, to http.ConnState) {
	n := below(nc)
	if n == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case to == http.StateNew || to == http.StateClosed: // what counts is when it was accepted, and Close
	case to == http.StateIdle && n.place == nil:
		n.place = c.waiting.PushBack(n)
	case to != http.StateIdle && n.place != nil:
		c.waiting.Remove(n.place)
		n.place = nil
	}
}

// below finds the connection that is counted under those that read along.
func below(nc net.Conn) *conn {
	for {
		if n, ok := nc.(*conn); ok {
			return n
		}
		upper, ok := nc.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		nc = upper.NetConn()
	}
}

// Close implements [net.Conn].
func (n *conn) Close() error {
	err := n.Conn.Close()
	n.once.Do(func() { n.in.leave(n) })
	return err
}

func (c *conns) leave(n *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n.place != nil {
		c.waiting.Remove(n.place)
		n.place = nil
	}
	c.open--
	c.metrics.open.Dec()
	if !n.from.IsValid() {
		return
	}
	if c.of[n.from]--; c.of[n.from] == 0 {
		delete(c.of, n.from)
	}
}

// CloseWrite lets the layers above end a connection gently.
func (n *conn) CloseWrite() error {
	if half, ok := n.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// ReadFrom lets the system copy where it can.
func (n *conn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(n.Conn, r) }

// abort ends a connection without waiting for what is still to be sent.
func abort(nc net.Conn) {
	under := nc
	if n, ok := nc.(*conn); ok {
		under = n.Conn
	}
	if t, ok := under.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // else it ends a little later
	}
	nc.Close()
}
