package p2p

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/upgrader"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	ma "github.com/multiformats/go-multiaddr"
)

// securityID is the only security protocol on TCP and relayed connections.
const securityID protocol.ID = "/realm/tls/1"

// maxHandshake bounds what a peer may send before it is judged, the largest proof
// and what crypto/tls reads ahead included; it would take certificates of 256 KiB.
const maxHandshake = 32 << 10

// security is libp2p's TLS with a check of the peer's credential in the handshake.
type security struct {
	door     *door
	identity *libp2ptls.Identity
	muxers   []string
}

var _ sec.SecureTransport = (*security)(nil)

// newSecurity makes a constructor as libp2p wants it.
func newSecurity(d *door, own credential) func(protocol.ID, crypto.PrivKey, []upgrader.StreamMuxer) (*security, error) {
	return func(_ protocol.ID, key crypto.PrivKey, muxers []upgrader.StreamMuxer) (*security, error) {
		template, err := own.template()
		if err != nil {
			return nil, err
		}
		identity, err := libp2ptls.NewIdentity(key, libp2ptls.WithCertTemplate(template))
		if err != nil {
			return nil, fmt.Errorf("make certificate: %w", err)
		}
		s := &security{door: d, identity: identity}
		for _, m := range muxers {
			s.muxers = append(s.muxers, string(m.ID))
		}
		return s, nil
	}
}

func (s *security) ID() protocol.ID { return securityID }

// SecureInbound is the server's side. It closes insecure when it fails.
func (s *security) SecureInbound(ctx context.Context, insecure net.Conn, p peer.ID) (sec.SecureConn, error) {
	return s.secure(ctx, network.DirInbound, insecure, p)
}

// SecureOutbound is the client's side. The server judges after it has returned: a
// refused client finds its connection closed a little later.
func (s *security) SecureOutbound(ctx context.Context, insecure net.Conn, p peer.ID) (sec.SecureConn, error) {
	return s.secure(ctx, network.DirOutbound, insecure, p)
}

func (s *security) secure(ctx context.Context, dir network.Direction, insecure net.Conn, p peer.ID) (sec.SecureConn, error) {
	c, err := s.handshake(ctx, dir, insecure, p)
	if err != nil {
		insecure.Close()
		return nil, fmt.Errorf("secure connection: %w", err)
	}
	return c, nil
}

// handshake takes at most as long as ctx.
func (s *security) handshake(ctx context.Context, dir network.Direction, insecure net.Conn, want peer.ID) (*secureConn, error) {
	remote, ok := insecure.(interface{ RemoteMultiaddr() ma.Multiaddr })
	if !ok {
		return nil, errors.New("the connection has no address")
	}
	if err := boundUnsent(insecure); err != nil {
		return nil, fmt.Errorf("bound what waits to be sent: %w", err)
	}
	conf, keys := s.identity.ConfigForPeer(want)
	conf.NextProtos = s.muxers
	records := &recordConn{Conn: insecure, left: maxHandshake}
	side := tls.Client
	if dir == network.DirInbound {
		side = tls.Server
	}
	c := &secureConn{Conn: side(records, conf), records: records, self: s.door.self}
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	records.done = true
	select {
	case c.key = <-keys:
	default:
	}
	if c.key == nil {
		return nil, errors.New("the peer has shown no key")
	}
	var err error
	if c.peer, err = peer.IDFromPublicKey(c.key); err != nil {
		return nil, err
	}
	c.pass, err = s.door.check(dir, c.peer, remote.RemoteMultiaddr(), c.ConnectionState().PeerCertificates)
	return c, err
}

// secureConn is a connection whose peer has been let in.
type secureConn struct {
	*tls.Conn
	records    *recordConn
	write      sync.Mutex // held while something is written
	self, peer peer.ID
	key        crypto.PubKey
	pass       *pass
}

func (c *secureConn) LocalPeer() peer.ID             { return c.self }
func (c *secureConn) RemotePeer() peer.ID            { return c.peer }
func (c *secureConn) RemotePublicKey() crypto.PubKey { return c.key }

func (c *secureConn) ConnState() network.ConnectionState {
	muxer := c.ConnectionState().NegotiatedProtocol
	return network.ConnectionState{StreamMultiplexer: protocol.ID(muxer), UsedEarlyMuxerNegotiation: muxer != ""}
}

// streamWindow is how far a stream's sender may be ahead of its reader: what a fetch of
// chunks from several members may pile up in memory for each request, and enough for
// 10 MB/s by each over 100 ms.
const streamWindow = 1 << 20

// narrow is the muxer of libp2p with a window of that size.
func narrow(t *yamux.Transport) *yamux.Transport {
	c := *t.Config()
	c.MaxStreamWindowSize = streamWindow
	return (*yamux.Transport)(&c)
}

// muxer keeps the pass with a connection: libp2p finds it there through As.
type muxer struct{ network.Multiplexer }

func (m muxer) NewConn(c net.Conn, server bool, scope network.PeerScope) (network.MuxedConn, error) {
	muxed, err := m.Multiplexer.NewConn(c, server, scope)
	if err != nil {
		return nil, err
	}
	secured, ok := c.(*secureConn)
	if !ok {
		return muxed, nil
	}
	return muxedConn{muxed, secured.pass}, nil
}

type muxedConn struct {
	network.MuxedConn
	pass *pass
}

func (c muxedConn) As(target any) bool {
	if t, ok := target.(**pass); ok {
		*t = c.pass
		return true
	}
	return c.MuxedConn.As(target)
}
