package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

const (
	askAtOnce = 8 // members that have not answered yet whether they have the blob

	// workers is how many batches are asked of a source at once: one lands while the
	// next is on its way.
	workers = 2

	firstPause = 200 * time.Millisecond // before a member that was away is asked again
	lastPause  = 5 * time.Second
	lacksPause = 5 * time.Second // the same for one that lacks the blob: it may get it
	lacksLast  = 30 * time.Second
	rereadIn   = 2 * time.Second // for one that has a part of it, and tells no more

	// hedge is how long others wait for the member that is asked for the index.
	hedge = time.Second
)

// source is a member that the blob may come from.
type source struct {
	peer api.PeerID

	// The transfer's mu guards what follows.
	state  state
	why    error                   // for states that are no good
	index  api.Digest              // by which it numbers chunks
	whole  bool                    // it has said so
	met    bool                    // it has told what it has, at least once
	seed   bool                    // it was whole when it was met
	offer  *offer                  // nil: it has not been asked for chunks
	failed int                     // in a row
	asked  int                     // how often it has lacked the blob
	sent   int64                   // bytes
	wall   meter                   // of what it sends, over time
	cut    context.CancelCauseFunc // of listening
	works  bool                    // its workers run
	silent bool                    // it tells no more of what it gets

	poke  chan struct{} // holds a token when it should be asked again at once
	ready chan struct{} // holds a token when there may be chunks to ask it for
}

// state is how a source stands.
type state int

const (
	stateQueued  state = iota
	stateAsking        // it has not answered yet
	stateWaiting       // it fetches the blob, too, and has no index yet
	stateJoined        // it is asked for chunks
	stateDiffers       // it has another index
	stateLacks
	stateAway
	stateOut // it has lied: it is not asked again
)

// add has a member asked what it has, unless it has been. One that asks itself is
// fetching, and goes first.
func (t *transfer) add(p api.PeerID, first bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.sources[p]; s != nil {
		if first && (s.state == stateLacks || s.state == stateAway) {
			s.nudge()
		}
		return
	}
	s := &source{peer: p, poke: make(chan struct{}, 1), ready: make(chan struct{}, workers)}
	t.sources[p] = s
	if first {
		t.queue = slices.Insert(t.queue, 0, s)
	} else {
		t.queue = append(t.queue, s)
	}
	t.look()
}

// nudge has a source asked again at once.
func (s *source) nudge() {
	select {
	case s.poke <- struct{}{}:
	default:
	}
}

// rouse has all workers look for something to ask for. mu is held.
func (t *transfer) rouse() {
	for _, s := range t.sources {
		s.rouse()
	}
}

func (s *source) rouse() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// admit asks those that wait to be, a few at once.
func (t *transfer) admit(ctx context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	asking := 0
	for _, s := range t.sources {
		if s.state == stateAsking && !s.met {
			asking++
		}
	}
	for ; asking < askAtOnce && len(t.queue) > 0; asking++ {
		s := t.queue[0]
		t.queue = t.queue[1:]
		s.state = stateAsking
		t.start(ctx, func(ctx context.Context) { t.follow(ctx, s) })
	}
}

// follow asks a source what it has, again and again.
func (t *transfer) follow(ctx context.Context, s *source) {
	for {
		err := t.listen(ctx, s)
		if ctx.Err() != nil {
			return
		}
		pause, again := t.heard(s, err)
		if !again {
			return
		}
		select {
		case <-time.After(pause):
		case <-s.poke:
		case <-ctx.Done():
			return
		}
	}
}

// listen asks s what it has, and takes note of it until s tells no more, or its
// chunks turn out bad (nil: it has just ended).
func (t *transfer) listen(ctx context.Context, s *source) error {
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	t.mu.Lock()
	s.cut = cut
	t.mu.Unlock()
	lines, err := t.peers.have(ctx, s.peer, t.blob)
	if err != nil {
		return err
	}
	defer lines.Close()
	t.waits(s)
	first, err := lines.next()
	if errors.Is(err, io.EOF) {
		return errLacks // it has given up before it began
	}
	if err != nil {
		return err
	}
	if err := t.settle(ctx, s, first); err != nil {
		return err
	}
	for line := first; !line.Whole; {
		if line, err = lines.next(); errors.Is(err, io.EOF) {
			t.ends(s)
			return nil
		}
		if err != nil {
			return err
		}
		t.learn(s, line)
	}
	<-ctx.Done() // it has all, and there is nothing more to tell
	return context.Cause(ctx)
}

// waits takes note that s answers, if it has not told what it has before.
func (t *transfer) waits(s *source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.state != stateJoined {
		s.state = stateWaiting
		t.look()
	}
}

// settle sees to it that there is an index, and has s asked for chunks if it is the
// one that s goes by.
func (t *transfer) settle(ctx context.Context, s *source, first api.Have) error {
	t.mu.Lock()
	if !s.met {
		s.met, s.seed = true, first.Whole
	}
	s.index, s.whole = first.Index, first.Whole
	if s.state != stateJoined {
		s.state = stateAsking // for the index
	}
	t.mu.Unlock()
	if err := t.plans(ctx, s); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.look()
	switch {
	case t.plan == nil || t.index != first.Index:
		return errDiffer
	case first.Chunks != len(t.plan.chunks):
		return fmt.Errorf("%w: it has %d chunks of %d", errLie, first.Chunks, len(t.plan.chunks))
	}
	t.joins(s, first)
	return nil
}

// plans returns once there is an index. One source at a time is asked for its own,
// and one more where that takes long.
func (t *transfer) plans(ctx context.Context, s *source) error {
	t.mu.Lock()
	planned, want, bad := t.planned, s.index, t.useless[s.index]
	t.mu.Unlock()
	if bad {
		return fmt.Errorf("%w: its index leads to other bytes", errLacks)
	}
	select {
	case <-planned:
		return nil
	default:
	}
	select {
	case <-planned:
		return nil
	case <-t.reading:
		defer func() { t.reading <- struct{}{} }()
	case <-time.After(hedge):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-planned: // by the one that has just let go
		return nil
	default:
	}
	idx, err := t.peers.index(ctx, s.peer, t.blob, want)
	if err != nil {
		return err
	}
	if t.size > 0 && idx.Size != t.size {
		return fmt.Errorf("%w: an index of %d bytes, want %d", errLie, idx.Size, t.size)
	}
	return t.propose(idx, want, planned) //nolint:contextcheck // it waits for the disk alone
}

// propose begins with idx, unless somebody was faster.
func (t *transfer) propose(idx api.BlobIndex, name api.Digest, planned chan struct{}) error {
	t.starting.Lock()
	defer t.starting.Unlock()
	select {
	case <-planned:
		return nil
	default:
		return t.begin(idx, name)
	}
}

// joins has s asked for chunks. mu is held.
func (t *transfer) joins(s *source, first api.Have) {
	now := time.Now()
	t.part(s)
	if s.offer == nil || s.offer.plan != t.plan {
		s.offer = &offer{plan: t.plan, helper: !s.seed}
	}
	s.offer.has, s.offer.lot = bits(first.Has), first.Lot
	if first.Whole {
		s.offer.has = allBits(first.Chunks)
	}
	s.state, s.why, s.silent = stateJoined, nil, false
	t.plan.join(s.offer, now)
	for _, c := range first.Busy {
		t.plan.works(s.offer, int32(c), now) //nolint:gosec // checked by the reader
	}
	if !s.works {
		s.works = true
		s.wall.begin(now)
		for range workers {
			t.start(t.ctx, func(ctx context.Context) { t.serve(ctx, s) })
		}
	}
	t.rouse()
}

// part has s asked for chunks no more. mu is held.
func (t *transfer) part(s *source) {
	if s.offer != nil {
		s.offer.plan.leave(s.offer)
	}
}

// in reports whether s is asked for chunks. mu is held.
func (t *transfer) in(s *source) bool { return s.offer != nil && s.offer.in && s.offer.plan == t.plan }

// learn takes note of a line.
func (t *transfer) learn(s *source, line api.Have) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.in(s) {
		return
	}
	now := time.Now()
	for _, c := range line.Got {
		t.plan.got(s.offer, int32(c)) //nolint:gosec // checked by the reader
	}
	for _, c := range line.Busy {
		t.plan.works(s.offer, int32(c), now) //nolint:gosec // checked by the reader
	}
	for _, c := range line.Idle {
		t.plan.idle(s.offer, int32(c)) //nolint:gosec // checked by the reader
	}
	if line.Whole {
		s.whole = true
		t.plan.lazy(s.offer)
		for c := range t.plan.chunks {
			t.plan.got(s.offer, int32(c)) //nolint:gosec // at most api.MaxChunks
		}
	}
	if len(line.Idle) > 0 {
		t.rouse() // others may be asked for it now
	}
	s.rouse()
}

// ends takes note that s, which has a part of the blob, fetches it no longer.
func (t *transfer) ends(s *source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.silent = true
	if t.in(s) {
		t.plan.lazy(s.offer)
		t.rouse()
	}
}

// heard takes note of how listening to s has ended, and says whether and when it is to
// be asked again.
func (t *transfer) heard(s *source, err error) (pause time.Duration, again bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.look()
	switch {
	case err == nil:
		return rereadIn, true
	case isLocal(err):
		if t.fatal == nil {
			t.fatal = err
		}
		return 0, false
	case errors.Is(err, errLie):
		t.drop(s, err)
		return 0, false
	}
	t.part(s)
	s.why = err
	switch {
	case errors.Is(err, errDiffer):
		s.state = stateDiffers
		pause = lacksLast
	case errors.Is(err, errLacks):
		s.state = stateLacks
		pause = min(lacksPause<<min(s.asked, 8), lacksLast)
		s.asked++
	default:
		s.state = stateAway
		pause = min(firstPause<<min(s.failed, 8), lastPause)
		s.failed++
	}
	return pause, true
}

// drop has s never asked again, for why. mu is held.
func (t *transfer) drop(s *source, why error) {
	if s.state == stateOut {
		return
	}
	t.part(s)
	s.state, s.why = stateOut, why
	if s.cut != nil {
		s.cut(why)
	}
	if errors.Is(why, errLie) {
		t.parts.Metrics.dropped.Inc()
		t.parts.Log.Warn("dropped a member that sends wrong bytes", telemetry.KeyPeer, s.peer.String(), telemetry.KeyBlob, t.blob.String(), telemetry.Error(why))
	}
}
