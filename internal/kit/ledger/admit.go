package ledger

import (
	"crypto"
	"errors"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Admit countersigns join, which shows an invite, with the node key of this member,
// and returns it for the caller to add. The invite must be good at now, by the clock
// of this member alone. A node that is a member already gets what made it one.
func (l *Ledger) Admit(join intent.Signed, key crypto.Signer, now time.Time) (intent.Signed, error) {
	pub, err := api.ParseKeyName(join.Name)
	if err != nil {
		return intent.Signed{}, err
	}
	node := keys.Public(pub)
	l.mu.Lock()
	defer l.mu.Unlock()
	if m, ok := l.member(node, now); ok {
		if s, _, ok := l.evidence(node, now); ok && m.Standing == api.StandingMember {
			return s, nil
		}
		return intent.Signed{}, fmt.Errorf("%w: the owner has revoked the membership of this node: ask them to admit it again", ErrRevoked)
	}
	if _, err := l.inviteOf(join.Signer); errors.Is(err, ErrUnauthorized) && join.Grant != nil {
		if _, err := l.addGrant(join, now); err != nil {
			return intent.Signed{}, err
		}
	}
	if err := l.joining(join); err != nil {
		return intent.Signed{}, err
	}
	if err := l.inviteHolds(join.Signer, now); err != nil {
		return intent.Signed{}, err
	}
	w, err := intent.Countersign(join, key, now)
	if err != nil {
		return intent.Signed{}, err
	}
	return join.WithWitness(w)
}

// inviteHolds reports why the invite with this key lets nobody in any more.
func (l *Ledger) inviteHolds(k keys.Public, now time.Time) error {
	invite, err := l.inviteOf(k)
	if err != nil {
		return err
	}
	if now.After(invite.Expires) {
		return fmt.Errorf("%w: the invite ended at %s: ask the owner for a new one", ErrExpired, invite.Expires.Format(time.RFC3339))
	}
	used := 0
	for _, m := range l.roster.all {
		if m.By == string(api.KeyName(k.Key())) {
			used++
		}
	}
	if invite.Uses > 0 && used >= invite.Uses {
		return fmt.Errorf("%w: the invite was for %d nodes: ask the owner for a new one", ErrForbidden, invite.Uses)
	}
	return nil
}
