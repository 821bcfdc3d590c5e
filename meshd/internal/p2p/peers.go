package p2p

import (
	"context"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// Host is a libp2p host that is connected to members and guests only.
type Host struct {
	host.Host
	door *door
}

// Standing is that of a connected peer, by its newest connection; [Stranger] for
// all others. A peer that comes back with another standing loses its older
// connections.
func (h *Host) Standing(p peer.ID) Standing { return h.door.standing(p) }

// Expel closes all connections to p, those that are being made included, unless
// [Config.Judge] lets these in.
func (h *Host) Expel(p peer.ID) {
	h.door.epoch.Add(1)
	_ = h.Network().ClosePeer(p) // what fails is closed already
}

// Recheck judges all open connections anew, by the proof that each has shown, and
// closes those whose peer has another standing now: a peer that became a member
// comes back as one. It must be called after what [Config.Judge] says has changed.
func (h *Host) Recheck() {
	h.door.epoch.Add(1) // connections that are not in the list yet are judged again, too
	for _, c := range h.Network().Conns() {
		if a, ok := h.door.passOf(c); ok && h.door.judge(c.RemotePeer(), a.proof) != a.standing {
			_ = c.CloseWithError(network.ConnGated) // fails only when it is closed already
		}
	}
}

// Instance is a run of a node that has live connections to this one.
type Instance struct {
	ID    InstanceID
	Conns []network.Conn // they tell the addresses
}

// Instances are the runs of p that this node is connected to. More than one is no
// proof that the key was copied: connections of a node that has restarted stay until
// pings on them go unanswered. Two that both answer pings are.
func (h *Host) Instances(p peer.ID) []Instance {
	var out []Instance
	for _, c := range h.Network().ConnsToPeer(p) {
		a, ok := h.door.passOf(c)
		if !ok {
			continue
		}
		i := slices.IndexFunc(out, func(o Instance) bool { return o.ID == a.instance })
		if i < 0 {
			i, out = len(out), append(out, Instance{ID: a.instance})
		}
		out[i].Conns = append(out[i].Conns, c)
	}
	return out
}

// NewStream is that of libp2p, but names to guests only protocols that they may use.
func (h *Host) NewStream(ctx context.Context, p peer.ID, ids ...protocol.ID) (network.Stream, error) {
	if noDial, _ := network.GetNoDial(ctx); !noDial {
		if err := h.Connect(ctx, peer.AddrInfo{ID: p}); err != nil {
			return nil, err
		}
	}
	if h.Standing(p) != Guest {
		return h.Host.NewStream(ctx, p, ids...)
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id protocol.ID) bool { return h.door.allow(p, id) != nil })
	if len(ids) == 0 {
		return nil, ErrGuest
	}
	return h.Host.NewStream(ctx, p, ids...)
}

// WaitGone returns when nobody is connected to h any more, or after limit, or when ctx
// ends.
func WaitGone(ctx context.Context, h host.Host, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	left := make(chan struct{}, 1)
	watch := &network.NotifyBundle{DisconnectedF: func(network.Network, network.Conn) {
		select {
		case left <- struct{}{}:
		default: // it will look anyway
		}
	}}
	h.Network().Notify(watch)
	defer h.Network().StopNotify(watch)
	for len(h.Network().Conns()) > 0 {
		select {
		case <-ctx.Done():
			return
		case <-left:
		}
	}
}
