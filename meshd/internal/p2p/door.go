package p2p

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
)

// ErrGuest is why a stream from or to a guest is refused.
var ErrGuest = errors.New("the peer is a guest of this realm, and this protocol is for members")

var (
	errStranger = errors.New("the peer has shown no proof that counts in this realm: enroll it, or admit it with realm peers admit")
	errStreams  = fmt.Errorf("a guest may have %d streams at once", guestStreams)
	errSelf     = errors.New("the peer uses this node's own key: it runs on a copy of this node's home, which must be removed")
)

// door decides who gets in, and knows who is in.
type door struct {
	self   peer.ID
	judge  func(peer.ID, []byte) Standing
	knock  func(peer.ID, ma.Multiaddr, []byte)
	guests guestRules

	epoch atomic.Uint64 // grows when proofs must be judged anew

	mu     sync.RWMutex
	inside map[peer.ID]*visitor
	slots  int // connections of guests
}

// visitor is a peer with at least one connection.
type visitor struct {
	standing Standing // of the newest connection
	conns    map[network.Conn]*pass
	streams  int // that it has opened
}

// pass is what the handshake of one connection has found out.
type pass struct {
	credential
	standing Standing
	epoch    uint64      // of the door, when judged
	leave    *time.Timer // a guest's; nil until it is connected
}

func newDoor(self peer.ID, c Config) *door {
	return &door{self: self, judge: c.Judge, knock: c.knocker(), guests: newGuestRules(c.GuestProtocols), inside: map[peer.ID]*visitor{}}
}

// check judges the authenticated peer p by its certificates. It is called in the
// handshake of every connection, as soon as they have been verified.
func (d *door) check(dir network.Direction, p peer.ID, addr ma.Multiaddr, certs []*x509.Certificate) (*pass, error) {
	if p == d.self {
		return nil, errSelf
	}
	if _, err := ID(p); err != nil {
		return nil, err
	}
	epoch := d.epoch.Load() // before the verdict, which may be older than what raises it
	shown, err := readCredential(certs)
	if err != nil {
		return nil, fmt.Errorf("peer %s: %w", p, err)
	}
	switch standing := d.judge(p, shown.proof); standing {
	case Member, Guest:
		return &pass{credential: shown, standing: standing, epoch: epoch}, nil
	default:
		if dir == network.DirInbound {
			d.knock(p, addr, shown.proof)
		}
		return nil, fmt.Errorf("peer %s: %w", p, errStranger)
	}
}

// enter lets in a connection that check has passed, before anything runs on it.
func (d *door) enter(c network.Conn, a *pass) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a.standing == Guest {
		if d.slots == maxGuests || c.Stat().Direction == network.DirInbound && !d.guests.allow(c.RemoteMultiaddr()) {
			return false
		}
		d.slots++
	}
	v := d.inside[c.RemotePeer()]
	if v == nil {
		v = &visitor{conns: map[network.Conn]*pass{}}
		d.inside[c.RemotePeer()] = v
	}
	v.standing, v.conns[c] = a.standing, a
	return true
}

// arrived completes enter once the connection is in libp2p's list: what was decided
// meanwhile holds for it too.
func (d *door) arrived(c network.Conn) {
	a, outdated := d.settle(c)
	if a == nil {
		return
	}
	if d.epoch.Load() != a.epoch && d.judge(c.RemotePeer(), a.proof) != a.standing {
		outdated = append(outdated, c)
	}
	for _, o := range outdated {
		_ = o.CloseWithError(network.ConnGated) // fails only when it is closed already
	}
}

// settle starts a guest's time, and returns the connections of c's peer that have
// another standing than its newest one.
func (d *door) settle(c network.Conn) (a *pass, outdated []network.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.inside[c.RemotePeer()]
	if v == nil || v.conns[c] == nil {
		return nil, nil
	}
	if a = v.conns[c]; a.standing == Guest {
		a.leave = time.AfterFunc(guestFor, func() { _ = c.CloseWithError(network.ConnGated) })
	}
	for o, b := range v.conns {
		if b.standing != v.standing {
			outdated = append(outdated, o)
		}
	}
	return a, outdated
}

// left forgets a connection.
func (d *door) left(c network.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.inside[c.RemotePeer()]
	if v == nil || v.conns[c] == nil {
		return
	}
	if a := v.conns[c]; a.standing == Guest {
		d.slots--
		if a.leave != nil {
			a.leave.Stop()
		}
	}
	delete(v.conns, c)
	if len(v.conns) == 0 {
		delete(d.inside, c.RemotePeer())
	}
}

func (d *door) standing(p peer.ID) Standing {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if v := d.inside[p]; v != nil {
		return v.standing
	}
	return Stranger
}

// allow says whether a stream of p, either way, may speak the protocol.
func (d *door) allow(p peer.ID, id protocol.ID) error {
	switch d.standing(p) {
	case Member:
		return nil
	case Guest:
		if slices.Contains(d.guests.protocols, id) {
			return nil
		}
		return fmt.Errorf("protocol %.100q: %w", id, ErrGuest)
	default:
		return errStranger
	}
}

func (d *door) passOf(c network.Conn) (pass, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if v := d.inside[c.RemotePeer()]; v != nil {
		if a := v.conns[c]; a != nil {
			return *a, true
		}
	}
	return pass{}, false
}

// begin counts a stream that p has opened, before its protocol is known.
func (d *door) begin(p peer.ID) (*visitor, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v := d.inside[p]
	if v == nil {
		return nil, errStranger
	}
	if v.standing == Guest && v.streams >= guestStreams {
		return nil, errStreams
	}
	v.streams++
	return v, nil
}

func (d *door) end(v *visitor) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v.streams--
}
