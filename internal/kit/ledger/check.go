package ledger

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/realm-mesh/realm/internal/kit/intent"
)

// refusals are the errors of this package: an intent that gets one is not for this set.
var refusals = []error{ErrUnauthorized, ErrForbidden, ErrRevoked, ErrOlder, ErrExpired, ErrRealm, ErrFull, ErrClient}

// Refused reports whether err says that an intent is not to be held, rather than
// that it could not be kept.
func Refused(err error) bool {
	return slices.ContainsFunc(refusals, func(r error) bool { return errors.Is(err, r) })
}

// MayGrant reports whether a grant that comes with an intent, and is news, may change
// the error that the intent got without it.
func MayGrant(err error) bool {
	return slices.ContainsFunc([]error{ErrUnauthorized, ErrForbidden, ErrRevoked, ErrExpired}, func(e error) bool { return errors.Is(err, e) })
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
	if err = l.check(s, now, false); err == nil {
		err = l.fits(s)
	}
	if err != nil {
		return false, fmt.Errorf("%s number %d: %w", s.Ref, s.Seq, err)
	}
	return false, nil
}
