package p2p

import (
	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/quic-go/quic-go"
)

// gate is where libp2p asks the door.
type gate struct{ *door }

// InterceptPeerDial lets this node dial anybody: what they are shows in the handshake.
func (gate) InterceptPeerDial(peer.ID) bool { return true }

// InterceptAddrDial is like InterceptPeerDial.
func (gate) InterceptAddrDial(peer.ID, ma.Multiaddr) bool { return true }

// InterceptAccept leaves it to the resource manager how many may try.
func (gate) InterceptAccept(network.ConnMultiaddrs) bool { return true }

// InterceptSecured checks QUIC connections, whose TLS handshake is complete. On all
// others the security transport has checked.
func (g gate) InterceptSecured(dir network.Direction, p peer.ID, c network.ConnMultiaddrs) bool {
	conn, ok := c.(interface {
		As(target any) bool
		Scope() network.ConnScope
	})
	var q *quic.Conn
	if !ok || !conn.As(&q) {
		return true
	}
	scope, ok := conn.Scope().(*connScope)
	if !ok {
		return false
	}
	a, err := g.check(dir, p, c.RemoteMultiaddr(), q.ConnectionState().TLS.PeerCertificates)
	scope.pass = a
	return err == nil
}

// InterceptUpgraded lets in what has been checked, whichever way it came.
func (g gate) InterceptUpgraded(c network.Conn) (bool, control.DisconnectReason) {
	var a *pass
	if !c.As(&a) { // not through the security transport
		if scope, ok := c.Scope().(*connScope); ok {
			a = scope.pass
		}
	}
	return a != nil && g.enter(c, a), 0
}

// notifiee tells the door of what comes and goes.
func (d *door) notifiee() network.Notifiee {
	return &network.NotifyBundle{
		ConnectedF:    func(_ network.Network, c network.Conn) { d.arrived(c) },
		DisconnectedF: func(_ network.Network, c network.Conn) { d.left(c) },
	}
}
