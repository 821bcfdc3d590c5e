package ledger

import (
	"crypto"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Joining reports why s, which nobody may have countersigned yet, does not show a
// good invite for its node. The invite's time and uses are not asked: see
// [Ledger.Admit].
func (l *Ledger) Joining(s intent.Signed) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := l.joining(s)
	return err
}

// Admit countersigns join, which shows an invite, with the node key of this member,
// and returns it for the caller to add. The invite must be good at now, by the clock
// of this member alone. A node that is a member already gets what made it one.
func (l *Ledger) Admit(join intent.Signed, key crypto.Signer, now time.Time) (intent.Signed, error) {
	if err := l.admissible(join, keys.PublicOf(key), now); err != nil {
		return intent.Signed{}, err
	}
	l.mu.Lock()
	s, ok := l.evidence(keyOf(join.Ref))
	l.mu.Unlock()
	if ok {
		return s, nil
	}
	w, err := intent.Countersign(join, key, now)
	if err != nil {
		return intent.Signed{}, err
	}
	return join.WithWitness(w)
}

// admissible reports why the member with the key self does not let the node of join in.
func (l *Ledger) admissible(join intent.Signed, self keys.Public, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if join.Kind != api.KindMember {
		return fmt.Errorf("%w: a %s lets nobody in", ErrForbidden, join.Kind)
	}
	switch m, ok := l.roster.all[keyOf(join.Ref)]; {
	case ok && m.Standing == api.StandingMember:
		return nil
	case ok:
		return fmt.Errorf("%w: the owner has revoked the membership of this node: ask them to admit it again", ErrRevoked)
	case !l.roster.member(self):
		return fmt.Errorf("%w: this node is no member itself, and can let nobody in: try another one", ErrUnauthorized)
	}
	known := l.around([]intent.Signed{join})
	with := batch{state: known, now: now}
	with.attached(join, ErrUnauthorized)
	invite, err := known.joining(join)
	if err != nil {
		return err
	}
	if now.After(invite.Expires) {
		return fmt.Errorf("%w: the invite ended at %s: ask the owner for a new one", ErrExpired, invite.Expires.Format(time.RFC3339))
	}
	if invite.Uses > 0 && l.used(join.Signer) >= invite.Uses {
		return fmt.Errorf("%w: the invite was for %d nodes: ask the owner for a new one", ErrForbidden, invite.Uses)
	}
	return nil
}
