package p2p

import (
	"errors"
	"net"
	"net/netip"
	"sync"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
)

var errHandshakes = errors.New("too many handshakes are under way from this address")

// resources is libp2p's resource manager with two rules more: a bound on handshakes
// that are under way from one address, and protocols by standing. Every stream asks
// it before its protocol is spoken, in both directions.
type resources struct {
	network.ResourceManager
	door *door

	mu         sync.Mutex
	handshakes map[origin]int
	total      int
}

// origin is where handshakes come from. Transports are counted apart: a flood over one
// leaves the other to those who share its address.
type origin struct {
	net netip.Prefix
	tcp bool
}

func newResources(under network.ResourceManager, d *door) *resources {
	return &resources{ResourceManager: under, door: d, handshakes: map[origin]int{}}
}

// OpenConnection is called when a connection begins: with its first packet on QUIC,
// when it is accepted on TCP.
func (r *resources) OpenConnection(dir network.Direction, usefd bool, endpoint ma.Multiaddr) (network.ConnManagementScope, error) {
	release := func() {}
	if dir == network.DirInbound {
		from := origin{addrNet(addrIP(endpoint)), usefd}
		if !r.begin(from) {
			return nil, errHandshakes
		}
		release = sync.OnceFunc(func() { r.end(from) })
	}
	scope, err := r.ResourceManager.OpenConnection(dir, usefd, endpoint)
	if err != nil {
		release()
		return nil, err
	}
	return &connScope{ConnManagementScope: scope, release: release}, nil
}

// VerifySourceAddress makes QUIC clients repeat their first packet with a token once
// many handshakes are under way: who forges addresses gets no further.
func (r *resources) VerifySourceAddress(addr net.Addr) bool {
	r.mu.Lock()
	busy := r.total >= busyHandshakes
	r.mu.Unlock()
	return busy || r.ResourceManager.VerifySourceAddress(addr)
}

// OpenStream begins a stream that has no protocol yet.
func (r *resources) OpenStream(p peer.ID, dir network.Direction) (network.StreamManagementScope, error) {
	end := func() {}
	if dir == network.DirInbound {
		v, err := r.door.begin(p)
		if err != nil {
			return nil, err
		}
		end = sync.OnceFunc(func() { r.door.end(v) })
	}
	scope, err := r.ResourceManager.OpenStream(p, dir)
	if err != nil {
		end()
		return nil, err
	}
	return &streamScope{StreamManagementScope: scope, peer: p, door: r.door, end: end}, nil
}

func (r *resources) begin(from origin) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	most := handshakesPerNet
	if from.net.Addr().IsLoopback() {
		most = handshakesLoopback
	}
	if r.handshakes[from] == most {
		return false
	}
	r.handshakes[from]++
	r.total++
	return true
}

func (r *resources) end(from origin) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total--
	if r.handshakes[from]--; r.handshakes[from] == 0 {
		delete(r.handshakes, from)
	}
}

// connScope goes with a connection from its beginning to its end.
type connScope struct {
	network.ConnManagementScope
	release func()
	pass    *pass // set in the handshake on QUIC
}

// SetPeer is called when the peer has proved its identity.
func (s *connScope) SetPeer(p peer.ID) error {
	s.release()
	return s.ConnManagementScope.SetPeer(p)
}

func (s *connScope) Done() {
	s.release()
	s.ConnManagementScope.Done()
}

// streamScope goes with a stream.
type streamScope struct {
	network.StreamManagementScope
	peer peer.ID
	door *door
	end  func()
}

func (s *streamScope) Done() {
	s.end()
	s.StreamManagementScope.Done()
}

// SetProtocol is called by libp2p before any handler runs, and before a protocol is
// spoken towards the peer. Nobody reads from or writes to streams without one.
func (s *streamScope) SetProtocol(id protocol.ID) error {
	if err := s.door.allow(s.peer, id); err != nil {
		return err
	}
	return s.StreamManagementScope.SetProtocol(id)
}
