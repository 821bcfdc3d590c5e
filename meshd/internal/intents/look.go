package intents

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/ledger"
)

// Look checks the envelope of an intent that somebody spreads as new, without
// accepting it. Nothing is wrong with it when the error is nil; it is [ErrKnown],
// with the intent, when it is held already. A grant that came with it, which is
// good by itself, is taken at once: what the intent is worth depends on it.
func (k *Keeper) Look(envelope []byte) (intent.Signed, error) {
	if s, ok := k.recall(envelope); ok {
		return s, ErrKnown
	}
	s, err := intent.Read(envelope)
	if err != nil {
		return s, err
	}
	now := k.cfg.Now()
	held, err := k.ledger.Check(s, now)
	if held {
		return s, ErrKnown
	}
	if ledger.MayGrant(err) {
		if g, ok := grantOf(s); ok && k.takeGrant(g, now) {
			_, err = k.ledger.Check(s, now)
		}
	}
	if err == nil {
		err = k.ledger.Fresh(s, now)
	}
	return s, err
}

// takeGrant accepts a grant that came with something, and reports whether it is news.
func (k *Keeper) takeGrant(g intent.Signed, now time.Time) bool {
	if held, err := k.ledger.Check(g, now); held || err != nil {
		return false
	}
	c, _ := k.Accept([]intent.Signed{g}, ByGossip)
	return c.News()
}

// recall finds the intent that envelope seems to be. Most of what gossip repeats is
// told from what is new without looking at its signature.
func (k *Keeper) recall(envelope []byte) (intent.Signed, bool) {
	d, ok := intent.Peek(envelope)
	if !ok {
		return intent.Signed{}, false
	}
	return k.ledger.Held(d)
}

// Read reads envelopes on all cores. Each has an error or not.
func Read(envelopes [][]byte) ([]intent.Signed, []error) {
	out, errs := make([]intent.Signed, len(envelopes)), make([]error, len(envelopes))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(envelopes)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(envelopes); i = int(next.Add(1)) - 1 {
				out[i], errs[i] = intent.Read(envelopes[i])
			}
		})
	}
	workers.Wait()
	return out, errs
}
