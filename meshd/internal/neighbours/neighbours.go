package neighbours

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"

	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// Timing of pings.
const (
	Interval = 2 * time.Second
	Timeout  = 6 * time.Second
	// ProbeTimeout bounds [Watch.Probe].
	ProbeTimeout = time.Second
)

const (
	strangerFor  = 5 * time.Minute // before a stranger is looked at again
	maxStrangers = 1024
	eventBuffer  = 256
	tagMember    = "realm"
	tagValue     = 50 // the connection manager closes connections of strangers first
)

// Host is a libp2p host that tells the runs of a node apart; [*p2p.Host] is one.
type Host interface {
	host.Host
	Instances(p peer.ID) []p2p.Instance
	Standing(p peer.ID) p2p.Standing
}

// Config says whom to watch and whom to tell.
type Config struct {
	Host   Host
	Member protocol.ID // what every member speaks
	Log    *slog.Logger

	// Up is called when a member is connected, and again when a member that was
	// connected has made a new connection: it may have restarted.
	Up func(p peer.ID)
	// Down is called when the last connection to a member is gone.
	Down func(p peer.ID)
	// RTT is called after each ping.
	RTT func(p peer.ID, rtt time.Duration)
	// Conflict is called when several nodes use the key of p, with their addresses,
	// again when those change, and with none when it is over.
	Conflict func(p peer.ID, addrs []string)
}

// Watch keeps the list of neighbours. Its methods are safe for use by several goroutines.
type Watch struct {
	cfg Config

	mu        sync.Mutex
	members   map[peer.ID]struct{}
	strangers map[peer.ID]time.Time // until when
	pinging   map[network.Conn]struct{}
	probes    map[peer.ID]*probe

	pings     sync.WaitGroup
	twins     *twins
	conflicts map[peer.ID][]string // as last told; of Run alone
}

// New makes a Watch. It sees nothing until [Watch.Run].
func New(cfg Config) *Watch {
	return &Watch{cfg: cfg, members: map[peer.ID]struct{}{}, strangers: map[peer.ID]time.Time{}, pinging: map[network.Conn]struct{}{}, probes: map[peer.ID]*probe{},
		twins: newTwins(), conflicts: map[peer.ID][]string{}}
}

// Members are the neighbours, in no order.
func (w *Watch) Members() []peer.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]peer.ID, 0, len(w.members))
	for p := range w.members {
		out = append(out, p)
	}
	return out
}

// Count is the number of neighbours.
func (w *Watch) Count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.members)
}

// IsMember reports whether p is a neighbour now.
func (w *Watch) IsMember(p peer.ID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.members[p]
	return ok
}

// IsStranger reports whether p has lately shown that it belongs to another realm, or to none.
func (w *Watch) IsStranger(p peer.ID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	until, ok := w.strangers[p]
	if ok && time.Now().After(until) {
		delete(w.strangers, p)
		return false
	}
	return ok
}

// Subscribe prepares for Run: no connection that is made after it is missed.
func (w *Watch) Subscribe() (event.Subscription, error) {
	sub, err := w.cfg.Host.EventBus().Subscribe([]any{
		new(event.EvtPeerConnectednessChanged),
		new(event.EvtPeerIdentificationCompleted),
		new(event.EvtPeerIdentificationFailed),
	}, eventbus.BufSize(eventBuffer), eventbus.Name("neighbours"))
	if err != nil {
		return nil, fmt.Errorf("watch neighbours: %w", err)
	}
	return sub, nil
}

// Run watches until ctx ends. It closes sub.
func (w *Watch) Run(ctx context.Context, sub event.Subscription) error {
	defer w.pings.Wait()
	defer sub.Close() // fails only when closed twice
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			for _, p := range w.Members() {
				w.pingAll(ctx, p)
			}
			w.tellConflicts(w.twins.conflicts(time.Now()))
		case ev, ok := <-sub.Out():
			if !ok {
				return nil
			}
			w.handle(ctx, ev)
		}
	}
}

// tellConflicts tells what is different from the last time.
func (w *Watch) tellConflicts(now map[peer.ID][]string) {
	for p, addrs := range now {
		if slices.Equal(w.conflicts[p], addrs) {
			continue
		}
		if w.conflicts[p] == nil {
			w.cfg.Log.Warn("several nodes use the key of one member", telemetry.KeyPeer, p, "addrs", addrs)
		}
		w.cfg.Conflict(p, addrs)
	}
	for p := range w.conflicts {
		if now[p] == nil {
			w.cfg.Log.Info("one node uses the key of a member again", telemetry.KeyPeer, p)
			w.cfg.Conflict(p, nil)
		}
	}
	w.conflicts = now
}

func (w *Watch) handle(ctx context.Context, ev any) {
	switch ev := ev.(type) {
	case event.EvtPeerIdentificationCompleted:
		w.identified(ctx, ev)
	case event.EvtPeerIdentificationFailed:
		// A guest is not asked who it is, and leaves by itself; what has failed may have
		// been another connection of it.
		if !w.IsMember(ev.Peer) && !errors.Is(ev.Reason, p2p.ErrGuest) && w.cfg.Host.Standing(ev.Peer) != p2p.Guest {
			w.closeStale(ev.Peer)
		}
	case event.EvtPeerConnectednessChanged:
		// The event may be older than the connection that has replaced it.
		if w.cfg.Host.Network().Connectedness(ev.Peer) == network.NotConnected {
			w.gone(ev.Peer)
		}
	}
}

func (w *Watch) identified(ctx context.Context, ev event.EvtPeerIdentificationCompleted) {
	if !slices.Contains(ev.Protocols, w.cfg.Member) {
		if !w.IsMember(ev.Peer) { // a member that takes its protocols away is about to leave
			w.refuse(ev.Peer)
		}
		return
	}
	if w.cfg.Host.Network().Connectedness(ev.Peer) == network.NotConnected {
		return // the event of its end may be behind us already
	}
	w.mu.Lock()
	_, known := w.members[ev.Peer]
	w.members[ev.Peer] = struct{}{}
	delete(w.strangers, ev.Peer)
	w.mu.Unlock()
	w.cfg.Host.ConnManager().TagPeer(ev.Peer, tagMember, tagValue)
	if !known {
		w.cfg.Log.Info("member connected", telemetry.KeyPeer, ev.Peer, "addr", ev.Conn.RemoteMultiaddr(), "agent", ev.AgentVersion)
	}
	w.cfg.Up(ev.Peer)
	w.pingAll(ctx, ev.Peer)
}

// Strange takes note that p belongs to another realm, as it has shown in a handshake.
func (w *Watch) Strange(p peer.ID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.strangers) >= maxStrangers {
		clear(w.strangers) // they are found out again soon enough
	}
	w.strangers[p] = time.Now().Add(strangerFor)
}

// refuse cuts off a peer that does not speak the realm's protocols.
func (w *Watch) refuse(p peer.ID) {
	w.Strange(p)
	w.cfg.Log.Debug("stranger refused", telemetry.KeyPeer, p)
	w.closeStale(p)
}

// closeStale closes all connections to p. What fails is closed already.
func (w *Watch) closeStale(p peer.ID) { _ = w.cfg.Host.Network().ClosePeer(p) }

func (w *Watch) gone(p peer.ID) {
	w.mu.Lock()
	_, known := w.members[p]
	delete(w.members, p)
	w.mu.Unlock()
	if !known {
		return
	}
	w.cfg.Host.ConnManager().UntagPeer(p, tagMember)
	w.cfg.Log.Info("member disconnected", telemetry.KeyPeer, p)
	w.cfg.Down(p)
}
