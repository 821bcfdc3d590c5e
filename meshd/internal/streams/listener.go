package streams

import (
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// listener hands the streams of a protocol to an HTTP server.
//
// Unlike gostream's it leaves the protocol registered when it is closed: were it
// taken away while the node finishes its last requests, identify would tell
// everybody, and a member that connects just then would take this node for a
// stranger.
type listener struct {
	self    addr
	streams chan network.Stream
	done    chan struct{} // closed by Close
	close   func()
}

func listen(h host.Host, id protocol.ID) *listener {
	l := &listener{self: addr(h.ID().String()), streams: make(chan network.Stream), done: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.done) })
	h.SetStreamHandler(id, func(s network.Stream) {
		select {
		case l.streams <- s:
		case <-l.done:
			_ = s.Reset() // fails only when it is gone already
		}
	})
	return l
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	select {
	case s := <-l.streams:
		return conn{s}, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements [net.Listener].
func (l *listener) Close() error {
	l.close()
	return nil
}

// Addr implements [net.Listener].
func (l *listener) Addr() net.Addr { return l.self }

// conn is a stream as a [net.Conn].
type conn struct{ network.Stream }

func (c conn) LocalAddr() net.Addr  { return addr(c.Conn().LocalPeer().String()) }
func (c conn) RemoteAddr() net.Addr { return addr(c.Conn().RemotePeer().String()) }

// addr is a peer id.
type addr string

func (addr) Network() string  { return "libp2p" }
func (a addr) String() string { return string(a) }
