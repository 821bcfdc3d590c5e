package ledger

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Limits of what one key has in a set. The owner's key has none but the set's.
const (
	// MaxPerGrant is how many intents of one granted key are held, and how many names
	// it may use.
	MaxPerGrant = 10_000
	// MaxGrantBytes is how large they may be together.
	MaxGrantBytes = 32 << 20
	// MaxOveruse is how many more nodes than it says an invite may let in before some
	// of them are dropped: members that do not hear of each other each count alone.
	MaxOveruse = 64
	// maxInviteBytes is how large the memberships by one invite may be together.
	maxInviteBytes = 32 << 20
	// maxOthers is how many intents the set may have for somebody other than the owner
	// to add one.
	maxOthers = api.MaxSync / 4 * 3
)

// share is what one signer has, or may have, in the set.
type share struct{ intents, bytes int }

func (s share) plus(in intent.Signed, n int) share {
	return share{s.intents + n, s.bytes + n*len(in.Envelope)}
}

func (s share) over(limit share) bool { return s.intents > limit.intents || s.bytes > limit.bytes }

// owns reports whether k is, or was, the owner's key.
func (l *state) owns(k keys.Public) bool {
	_, retired := l.retired[k]
	return retired || k == l.owner()
}

// limit is what signer may have in the set.
func (l *state) limit(signer keys.Public) (s share) {
	if l.owns(signer) {
		return share{math.MaxInt, math.MaxInt}
	}
	if _, err := l.grantOf(signer); err == nil {
		s = share{MaxPerGrant, MaxGrantBytes}
	}
	if i, err := l.inviteOf(signer); err == nil {
		uses := api.MaxUses
		if i.Uses > 0 {
			uses = min(uses, i.Uses+MaxOveruse)
		}
		s = share{s.intents + uses, s.bytes + maxInviteBytes}
	}
	return s
}

// shrink drops what signer has above its share: older versions first, then the names
// that are last in the alphabet. What remains of two sets that are made one does not
// depend on what was dropped from each before.
func (l *state) shrink(signer keys.Public) {
	limit := l.limit(signer)
	if !l.shares[signer].over(limit) {
		return
	}
	type held struct {
		depth int // versions after it
		intent.Signed
	}
	var all []held
	for ref := range l.bySigner[signer] {
		for depth, s := range l.slots[Slot{Ref: ref, Signer: signer}] {
			all = append(all, held{depth, s})
		}
	}
	slices.SortFunc(all, func(a, b held) int {
		return cmp.Or(cmp.Compare(a.depth, b.depth), strings.Compare(api.KeyIntent(a.Ref), api.KeyIntent(b.Ref)))
	})
	for len(all) > 0 && l.shares[signer].over(limit) {
		last := all[len(all)-1]
		l.roster.stale = l.roster.stale || last.Witness != nil
		l.remove(last.Signed)
		all = all[:len(all)-1]
	}
}

// fits reports why there is no room for s, which its signer may sign.
func (l *state) fits(s intent.Signed) error {
	switch {
	case l.place(s) >= Keep:
		return ErrOlder
	case len(l.byDigest) >= api.MaxSync, len(l.byDigest) >= maxOthers && !l.owns(s.Signer):
		return full(s)
	}
	return nil
}

// full is [ErrFull] for s, with what makes room.
func full(s intent.Signed) error {
	if s.Kind == api.KindJob {
		return fmt.Errorf("%w: remove jobs that have ended (realm job rm)", ErrFull)
	}
	return fmt.Errorf("%w: remove programs that are not needed any more (realm rm), or jobs that have ended (realm job rm)", ErrFull)
}

// crowded reports why s, made just now, would push other names of its signer out of
// the set.
func (l *state) crowded(s intent.Signed) error {
	limit, names := l.limit(s.Signer), l.bySigner[s.Signer]
	if limit.intents == 0 {
		return nil // nobody knows the signer: add says so
	}
	if _, known := names[s.Ref]; !known && len(names) >= limit.intents {
		return fmt.Errorf("%w; its key has %d names", full(s), len(names))
	}
	if l.shares[s.Signer].plus(s, 1).bytes <= limit.bytes {
		return nil
	}
	sum := len(s.Envelope)
	for ref := range names {
		if ref != s.Ref {
			sum += len(l.slots[Slot{Ref: ref, Signer: s.Signer}][0].Envelope)
		}
	}
	if sum > limit.bytes {
		return fmt.Errorf("%w; those of its key have %d bytes, at most %d", full(s), sum, limit.bytes)
	}
	return nil
}
