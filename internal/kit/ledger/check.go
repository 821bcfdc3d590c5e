package ledger

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// refusals are the errors of this package: an intent that gets one is not for this set.
var refusals = []error{ErrUnauthorized, ErrForbidden, ErrRevoked, ErrOlder, ErrExpired, ErrRealm, ErrFull, ErrClient}

// Refused reports whether err says that an intent is not to be held, rather than
// that it could not be kept.
func Refused(err error) bool {
	return slices.ContainsFunc(refusals, func(r error) bool { return errors.Is(err, r) })
}

// Rank orders kinds so that most intents find there what they depend on when they
// are added in this order.
func Rank(k api.Kind) int { return rank(intent.Signed{Intent: api.Intent{Ref: api.Ref{Kind: k}}}) }

// Held is the intent with this payload, if it is held.
func (l *Ledger) Held(d api.Digest) (intent.Signed, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.byDigest[d]
	return s, ok
}

// Check says what [Ledger.Add] would make of s by itself, without adding anything:
// whether it is held, else why it would not be. What came with s, a grant, is left
// out of account.
func (l *Ledger) Check(s intent.Signed, now time.Time) (held bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, held = l.byDigest[s.Digest]; held {
		return true, nil
	}
	err = l.check(s, now)
	versions := l.slots[s.Slot()]
	switch {
	case err != nil:
	case len(versions) >= Keep && versions[Keep-1].Version().Newer(s.Version()):
		err = ErrOlder
	case len(l.byDigest) >= api.MaxSync:
		err = ErrFull
	}
	if err != nil {
		return false, fmt.Errorf("%s number %d: %w", s.Ref, s.Seq, err)
	}
	return false, nil
}

// Become makes l hold what o does and nothing else, for who has added what could
// then not be kept. o must not be used any more.
func (l *Ledger) Become(o *Ledger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o.mu.Lock()
	defer o.mu.Unlock()
	l.pin, l.slots, l.byRef, l.bySigner, l.byDigest = o.pin, o.slots, o.byRef, o.bySigner, o.byDigest
	l.parts, l.count, l.path, l.retired, l.roster = o.parts, o.count, o.path, o.retired, o.roster
}
