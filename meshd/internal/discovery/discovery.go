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
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

const (
	connectTimeout = 10 * time.Second // one attempt at all addresses of a member
	maxDials       = 8                // at the same time
	giveUpAfter    = 8                // failed attempts at a member that was never reached
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
		if len(f.targets) >= 2*maxBook {
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

// dialLoop dials whoever is due.
func (f *Finder) dialLoop(ctx context.Context) error {
	var dials sync.WaitGroup
	defer dials.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		due, wait := f.due(time.Now())
		for _, ai := range due {
			dials.Go(func() { f.dial(ctx, ai) })
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		case <-timer.C:
		}
	}
}

// due returns whom to dial now, marked as such, and when to ask again.
func (f *Finder) due(now time.Time) (out []peer.AddrInfo, wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	wait = time.Hour
	enough := f.connected() >= f.cfg.Enough
	for p, t := range f.targets {
		switch {
		case t.connected || t.dialling:
			continue
		case !t.bootstrap() && (enough || f.cfg.Stranger(p)):
			continue
		case t.next.After(now):
			wait = min(wait, t.next.Sub(now))
			continue
		case f.dials >= maxDials:
			continue // the end of a dial wakes the loop
		}
		f.dials++
		t.dialling = true
		out = append(out, peer.AddrInfo{ID: p, Addrs: slices.Concat(t.fixed, t.own, t.heard)})
	}
	return out, wait
}

// connected counts; the caller holds mu.
func (f *Finder) connected() int {
	n := 0
	for _, t := range f.targets {
		if t.connected {
			n++
		}
	}
	return n
}

func (f *Finder) dial(ctx context.Context, ai peer.AddrInfo) {
	call, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	// The back-off here is the one that counts; libp2p's own would add to it.
	if s, ok := f.cfg.Host.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(ai.ID)
	}
	err := f.cfg.Host.Connect(call, ai)
	f.mu.Lock()
	defer f.mu.Unlock()
	defer notify(f.wake)
	f.dials--
	t := f.targets[ai.ID]
	t.dialling = false
	// Whether it is a member turns out later, by Up; until then it counts as a failure.
	t.failed++
	if !t.bootstrap() && t.seen.IsZero() && t.failed >= giveUpAfter {
		delete(f.targets, ai.ID)
		return
	}
	most := backoffLearnt
	if t.bootstrap() {
		most = backoffBootstrap
		f.complain(ctx, ai.ID, t.failed, err)
	}
	t.next = time.Now().Add(backoff(t.failed, most))
}

// complainEvery spaces out what is logged about a bootstrap member, in failed attempts.
const complainEvery = 40 // about ten minutes

// complain logs now and then that a member of the settings cannot be had.
func (f *Finder) complain(ctx context.Context, p peer.ID, failed int, err error) {
	switch {
	case ctx.Err() != nil || failed%complainEvery != 3:
	case f.cfg.Stranger(p):
		f.cfg.Log.Warn("bootstrap peer belongs to another realm, or to none yet", telemetry.KeyPeer, p)
	case err != nil:
		f.cfg.Log.Warn("bootstrap member cannot be reached; trying on", telemetry.KeyPeer, p, telemetry.Error(err))
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
