package ledger

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Change is what an addition has brought.
type Change struct {
	Added   []intent.Signed // in this order; a grant that came with an intent before it
	Dropped []intent.Signed // no longer held
	Trust   bool            // somebody's say, or membership, may be another
}

// News reports whether anything was added.
func (c Change) News() bool { return len(c.Added) > 0 }

// Add takes s into the set. One that is there already changes nothing, and is no
// error. Beside the errors of this package there are none. Also with an error, the
// grant that came with s may have been added.
func (l *Ledger) Add(s intent.Signed, now time.Time) (Change, error) {
	c, errs := l.AddAll([]intent.Signed{s}, now)
	return c, errs[0]
}

// AddAll adds what it can of all, in whatever order they depend on each other, and
// returns the error of each that it could not (nil for the others).
func (l *Ledger) AddAll(all []intent.Signed, now time.Time) (Change, []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addAll(all, now, false)
}

// Restore is [Ledger.AddAll] for a node that reads back what it has held before. While
// a rotation is not settled, what retired keys had signed before it counts, and nobody
// can tell when that was: here it is taken, and nowhere else.
func (l *Ledger) Restore(all []intent.Signed, now time.Time) (Change, []error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.addAll(all, now, true)
}

// batch is an addition under way.
type batch struct {
	*state
	now     time.Time
	own     bool                  // this node has held it before
	queue   []int                 // the next one last
	waiting map[keys.Public][]int // for somebody to have a say
	turns   []int                 // rotations that do not lead on from any key yet
}

func (l *state) addAll(all []intent.Signed, now time.Time, own bool) (Change, []error) {
	b := batch{state: l, now: now, own: own, waiting: map[keys.Public][]int{}}
	errs := make([]error, len(all))
	for i := range all {
		b.queue = append(b.queue, i)
	}
	slices.SortFunc(b.queue, func(i, j int) int { return cmp.Or(rank(all[j])-rank(all[i]), j-i) })
	for len(b.queue) > 0 {
		i := b.queue[len(b.queue)-1]
		b.queue = b.queue[:len(b.queue)-1]
		n := len(b.events)
		errs[i] = b.add(all[i])
		b.wake(b.events[n:])
		b.wait(i, all[i], errs[i])
	}
	b.refresh()
	for i, s := range all {
		if err := b.verdict(s, errs[i]); err != nil {
			errs[i] = fmt.Errorf("%s number %d: %w", s.Ref, s.Seq, err)
		}
	}
	return b.change(), errs
}

// verdict is why s, for which there was err when it was added, is not held. That there
// are newer versions now, of which it was one, is no error.
func (b *batch) verdict(s intent.Signed, err error) error {
	if _, held := b.byDigest[s.Digest]; held || err != nil {
		return err
	}
	if err := b.check(s, b.now, b.own); err != nil {
		return err
	}
	if err := b.fits(s); err == nil || errors.Is(err, ErrFull) {
		return full(s)
	}
	return nil
}

// Rank orders kinds so that most intents find there what they depend on when they
// are added in this order.
func Rank(k api.Kind) int {
	switch k {
	case api.KindRotate:
		return 0
	case api.KindGrant, api.KindInvite:
		return 1
	case api.KindMember:
		return 2
	case api.KindSettle:
		return 5
	}
	return 4
}

// rank is [Rank], with those first of a kind that depend on nobody else.
func rank(s intent.Signed) int {
	if s.Witness != nil {
		return Rank(s.Kind) + 1
	}
	return Rank(s.Kind)
}

// wait remembers what i waits for.
func (b *batch) wait(i int, s intent.Signed, err error) {
	var missing *missingError
	switch {
	case !errors.As(err, &missing):
	case s.Kind == api.KindRotate:
		b.turns = append(b.turns, i)
	default:
		b.waiting[missing.key] = append(b.waiting[missing.key], i)
	}
}

// wake has those tried again that may have waited for what has come.
func (b *batch) wake(come []intent.Signed) {
	for _, s := range come {
		switch s.Kind {
		case api.KindRotate:
			b.call(newKey(s))
			b.call(s.Signer)
			b.queue, b.turns = append(b.queue, b.turns...), nil
		case api.KindGrant, api.KindInvite, api.KindMember:
			b.call(keyOf(s.Ref))
		}
	}
}

func (b *batch) call(k keys.Public) {
	b.queue = append(b.queue, b.waiting[k]...)
	delete(b.waiting, k)
}

// add adds s, after the grant that came with it where s needs that.
func (b *batch) add(s intent.Signed) error {
	if _, held := b.byDigest[s.Digest]; held {
		return nil
	}
	err := b.check(s, b.now, b.own)
	if b.attached(s, err) {
		err = b.check(s, b.now, b.own)
	}
	if err == nil {
		err = b.fits(s)
	}
	if err != nil {
		return err
	}
	if s, err = b.trim(s); err != nil {
		return err
	}
	b.take(s)
	return nil
}

// attached adds the grant or invite that came with s, which err has refused, and
// reports whether that may help.
func (b *batch) attached(s intent.Signed, err error) bool {
	if s.Grant == nil || !MayGrant(err) || b.owns(s.Signer) {
		return false
	}
	g, err := intent.Read(s.Grant)
	if err != nil || g.Kind != api.KindGrant && g.Kind != api.KindInvite || g.Name != s.By() || g.Grant != nil {
		return false
	}
	n := len(b.events)
	return b.add(g) == nil && len(b.events) > n
}

// take puts s, which may be held and fits, into the set.
func (b *batch) take(s intent.Signed) {
	b.insert(s)
	if versions := b.slots[s.Slot()]; len(versions) > Keep {
		b.remove(versions[Keep])
	}
	switch s.Kind {
	case api.KindRotate:
		b.rotate(s)
	case api.KindGrant, api.KindInvite:
		b.recheck(keyOf(s.Ref))
		b.roster.stale = b.roster.stale || b.used(keyOf(s.Ref)) > 0 // their roles may be others
	case api.KindMember:
		b.stand(s.Ref)
	}
	if b.owns(s.Signer) {
		b.settle()
	} else {
		b.shrink(s.Signer)
	}
}

// recheck removes what signer may not have signed any more.
func (l *state) recheck(signer keys.Public) {
	if l.owns(signer) {
		return
	}
	l.prune(signer, func(s intent.Signed) bool { return l.allowed(s) != nil })
	l.shrink(signer)
}

// trim takes away from s the grant that came with it, unless its signer is known to
// hold that: what nobody has signed for is not passed on.
func (l *state) trim(s intent.Signed) (intent.Signed, error) {
	if s.Grant == nil {
		return s, nil
	}
	for _, kind := range []api.Kind{api.KindGrant, api.KindInvite} {
		if g, ok := l.word(api.Ref{Kind: kind, Name: s.By()}); ok && bytes.Equal(g.Envelope, s.Grant) {
			return s, nil
		}
	}
	return s.WithGrant(nil)
}

// change is what has come and gone since it was asked last. What did both is not
// mentioned.
func (l *state) change() (c Change) {
	times := make(map[api.Digest]int, len(l.events))
	for _, s := range l.events {
		times[s.Digest]++
	}
	done := make(map[api.Digest]int, len(times))
	for _, s := range l.events {
		n := times[s.Digest]
		if done[s.Digest]++; n%2 == 0 || done[s.Digest] < n {
			continue
		}
		c.Trust = c.Trust || s.Kind.Trust()
		if _, held := l.byDigest[s.Digest]; held {
			c.Added = append(c.Added, s)
		} else {
			c.Dropped = append(c.Dropped, s)
		}
	}
	l.events = nil
	return c
}
