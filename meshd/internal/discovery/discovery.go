package discovery

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

const (
	connectTimeout = 10 * time.Second // one attempt at all addresses of a member
	maxDials       = 8                // at the same time
	doubtAfter     = 8                // failed attempts at a member that was never reached
	saveDelay      = time.Second      // several changes of the book are one write
	yieldDelay     = 700 * time.Millisecond
)

// Config says how to find members.
type Config struct {
	Host      host.Host
	Bootstrap []peer.AddrInfo
	Book      string // file
	MDNS      bool
	Enough    int                  // connected members, above which only bootstrap members are dialled
	Stranger  func(p peer.ID) bool // must not be dialled
	Log       *slog.Logger
}

// Finder keeps the node connected. Its methods are safe for use by several goroutines.
type Finder struct {
	cfg  Config
	wake chan struct{}
	save chan struct{}

	mu      sync.Mutex
	targets map[peer.ID]*target
	dials   int
}

// target is a member that is known.
type target struct {
	fixed     []ma.Multiaddr // from the settings; nil for others
	own       []ma.Multiaddr // what the member said of itself last
	heard     []ma.Multiaddr // from mDNS and from others, since it said so
	seen      time.Time      // when it was connected last; zero: never
	connected bool
	dialling  bool
	failed    int       // attempts in a row
	err       error     // of the last one; nil: it was connected, and went
	next      time.Time // no attempt before
}

func (t *target) bootstrap() bool { return t.fixed != nil }

// New makes a Finder that knows the bootstrap members and those of the book. It
// does nothing until [Finder.Run].
func New(cfg Config) *Finder {
	f := &Finder{cfg: cfg, wake: make(chan struct{}, 1), save: make(chan struct{}, 1), targets: map[peer.ID]*target{}}
	for _, ai := range cfg.Bootstrap {
		if ai.ID != cfg.Host.ID() {
			f.targets[ai.ID] = &target{fixed: ai.Addrs}
		}
	}
	f.load()
	return f
}

// load reads the book. A broken one is no reason not to start: it fills again.
func (f *Finder) load() {
	b, err := readBook(f.cfg.Book)
	if err != nil {
		f.cfg.Log.Warn("starting without the members known before", telemetry.Error(err))
		return
	}
	for _, e := range b.Peers {
		id, err := p2p.Decode(e.Peer)
		if err != nil || id == f.cfg.Host.ID() {
			continue
		}
		t := f.targets[id]
		if t == nil {
			t = &target{}
			f.targets[id] = t
		}
		t.own, t.seen = p2p.ParseAddrs(e.Addrs, maxAddrs), e.Seen
	}
}

// Run dials until ctx ends.
func (f *Finder) Run(ctx context.Context) error {
	fns := []func(context.Context) error{f.dialLoop, f.saveLoop}
	if f.cfg.MDNS {
		fns = append(fns, f.runMDNS)
	}
	return task.Run(ctx, fns...)
}

// Hear takes note of where a member may be, on the word of somebody else.
func (f *Finder) Hear(p peer.ID, addrs []ma.Multiaddr) {
	f.learn(p, addrs, func(t *target) bool {
		news := slices.DeleteFunc(slices.Clone(addrs), func(a ma.Multiaddr) bool {
			return slices.ContainsFunc(t.own, a.Equal) || slices.ContainsFunc(t.heard, a.Equal)
		})
		t.heard = append(t.heard, news[:min(len(news), maxAddrs-len(t.heard))]...)
		return len(news) > 0
	})
}

// Told takes note of where a member says that it is. That replaces all that was
// known, but for the settings.
func (f *Finder) Told(p peer.ID, addrs []ma.Multiaddr) {
	f.learn(p, addrs, func(t *target) bool {
		if slices.EqualFunc(t.own, addrs, ma.Multiaddr.Equal) {
			return false
		}
		t.own, t.heard = slices.Clone(addrs[:min(len(addrs), maxAddrs)]), nil
		if !t.seen.IsZero() {
			notify(f.save)
		}
		return true
	})
}

// learn applies add to the target of p and dials anew if that was news.
func (f *Finder) learn(p peer.ID, addrs []ma.Multiaddr, add func(*target) (news bool)) {
	if p == f.cfg.Host.ID() || len(addrs) == 0 || f.cfg.Stranger(p) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.targets[p]
	if t == nil {
		if len(f.targets) >= 2*maxBook && !f.forgetOne() {
			return
		}
		// Both sides hear of each other at the same time. The one with the larger
		// id waits a moment, so that they rarely meet with two connections.
		t = &target{}
		if f.cfg.Host.ID() > p {
			t.next = time.Now().Add(yieldDelay)
		}
		f.targets[p] = t
	}
	if add(t) {
		t.failed = 0
		notify(f.wake)
	}
}

// forgetOne makes room: of those that were only heard of, the one that was tried
// in vain most often goes. The caller holds mu.
func (f *Finder) forgetOne() bool {
	var worst peer.ID
	for p, t := range f.targets {
		if t.seen.IsZero() && !t.bootstrap() && !t.dialling && t.failed > 0 && (worst == "" || t.failed > f.targets[worst].failed) {
			worst = p
		}
	}
	delete(f.targets, worst)
	return worst != ""
}

// Up takes note that a member is connected.
func (f *Finder) Up(p peer.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.targets[p]
	if t == nil {
		t = &target{}
		f.targets[p] = t
	}
	t.connected, t.failed, t.seen = true, 0, time.Now()
	if len(t.own) == 0 && len(t.heard) == 0 { // it found us; what it tells of itself comes soon
		known := f.cfg.Host.Peerstore().Addrs(p)
		t.heard = known[:min(len(known), maxAddrs)]
	}
	notify(f.save)
}

// Down takes note that a member is no longer connected; it is dialled again.
func (f *Finder) Down(p peer.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t := f.targets[p]; t != nil {
		t.connected, t.seen = false, time.Now()
		t.next = time.Now().Add(backoff(0, backoffLearnt))
		notify(f.save)
		notify(f.wake)
	}
}

// NetworkChanged makes the next attempt at everybody due now: another network may
// reach whom the last one did not.
func (f *Finder) NetworkChanged() {
	f.mu.Lock()
	for _, t := range f.targets {
		t.failed, t.next = 0, time.Time{}
	}
	f.mu.Unlock()
	notify(f.wake)
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has not been looked at since the last time
	}
}

// saveLoop writes the book some time after it has changed, and at the end.
func (f *Finder) saveLoop(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			f.writeBook()
			return nil
		case <-f.save:
		}
		select {
		case <-ctx.Done():
		case <-time.After(saveDelay):
		}
		f.writeBook()
	}
}

// writeBook saves who has been connected. A failure costs nothing now, and the
// next change tries again.
func (f *Finder) writeBook() {
	now := time.Now()
	var b book
	f.mu.Lock()
	for p, t := range f.targets {
		id, err := p2p.ID(p)
		if err != nil || t.seen.IsZero() {
			continue
		}
		e := bookEntry{Peer: id, Seen: t.seen.UTC()}
		if t.connected {
			e.Seen = now.UTC()
		}
		addrs := t.own
		if len(addrs) == 0 {
			addrs = t.heard
		}
		for _, a := range addrs {
			e.Addrs = append(e.Addrs, a.String())
		}
		b.Peers = append(b.Peers, e)
	}
	f.mu.Unlock()
	if err := b.write(f.cfg.Book, now); err != nil {
		f.cfg.Log.Warn("known members are not kept", telemetry.Error(fmt.Errorf("save: %w", err)))
	}
}
