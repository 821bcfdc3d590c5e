package owner

import (
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/invite"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

var (
	// ErrOtherOwner says that a node belongs to somebody else.
	ErrOtherOwner = errors.New("this node belongs to another owner")
	// ErrMember says that a node need not join: it is a member.
	ErrMember = errors.New("this node is a member already")
)

// Claim decides whom the node of h trusts, and writes it down if nobody has yet:
// the key of the settings, else that of the account, which mine returns. A node that
// is pinned stays pinned; settings that name another owner are an error. Where there
// is no key at all it is [trust.ErrUnclaimed], which a node can live with: it accepts
// nothing.
func Claim(h paths.Home, c config.Node, mine func() (Key, error)) (trust.Pin, error) {
	pin, err := trust.ReadPin(h.Pin())
	if err == nil {
		return pin, CheckOwner(h, pin, c)
	}
	if !errors.Is(err, trust.ErrUnclaimed) {
		return trust.Pin{}, err
	}
	pin, ok, keyErr := configured(c)
	if !ok && keyErr == nil {
		pin, keyErr = accountPin(mine)
	}
	if errors.Is(keyErr, ErrNoKey) {
		return trust.Pin{}, err
	}
	if keyErr != nil {
		return trust.Pin{}, keyErr
	}
	return pin, pin.Write(h.Pin())
}

// configured is whom the settings name; ok is false for nobody.
func configured(c config.Node) (pin trust.Pin, ok bool, err error) {
	if c.Owner == "" {
		return pin, false, nil
	}
	k, err := keys.ParsePublic(c.Owner)
	if err != nil {
		return pin, false, err
	}
	if pin = trust.NewPin(k); c.Realm != "" {
		pin.Realm = c.Realm
	}
	return pin, true, nil
}

func accountPin(mine func() (Key, error)) (trust.Pin, error) {
	k, err := mine()
	return k.Pin(), err
}

// Pin is what a node is told that is to follow k.
func (k Key) Pin() trust.Pin { return trust.Pin{Realm: k.Realm(), Owner: k.Public()} }

// CheckOwner refuses to hand a node that is pinned to somebody else over to the
// owner of the settings: what it runs and the marks that protect it from replays
// are all of its first realm. A key that the realm had before is no other owner.
func CheckOwner(h paths.Home, pin trust.Pin, c config.Node) error {
	want, ok, err := configured(c)
	if err != nil || !ok || want.Owner == pin.Owner || want.Realm == pin.Realm {
		return err
	}
	return otherOwner(h, pin, fmt.Sprintf("settings cannot hand it over to %s (realm %s)", want.Owner, want.Realm))
}

func otherOwner(h paths.Home, pin trust.Pin, why string) error {
	return fmt.Errorf("%w: %s follows %s (realm %s), as %s says, and %s: give the new owner a node in a home of its own (--home), or give this one up first with realm reset",
		ErrOtherOwner, h.Root(), pin.Owner, pin.Realm, h.Pin(), why)
}

// Enroll makes the node of h follow the realm of an invite, and keeps the token for
// meshd, which becomes a member with it. A member of the realm is [ErrMember]; a node
// of another realm, or with settings that name another owner, is [ErrOtherOwner].
func Enroll(h paths.Home, t invite.Token, c config.Node) error {
	want, named, err := configured(c)
	if err != nil {
		return err
	}
	pin, err := trust.ReadPin(h.Pin())
	switch {
	case errors.Is(err, trust.ErrUnclaimed) && named && want.Realm != t.Realm:
		return fmt.Errorf("%w: the token is of realm %s, and the settings have the node follow %s, of realm %s: take owner out of the settings, or ask that owner for a token",
			ErrOtherOwner, t.Realm, want.Owner, want.Realm)
	case errors.Is(err, trust.ErrUnclaimed):
		pin = t.Pin()
	case err != nil:
		return err
	case pin.Realm != t.Realm:
		return otherOwner(h, pin, fmt.Sprintf("the token is of realm %s", t.Realm))
	}
	_, err = trust.ReadMembership(h.Proof())
	if err == nil {
		return fmt.Errorf("%w of realm %s", ErrMember, pin.Realm)
	}
	if !errors.Is(err, trust.ErrNoMembership) {
		return err
	}
	text, err := t.Encode()
	if err != nil {
		return err
	}
	// The token first: a node that follows nobody does not look at it.
	if err := atomicfile.Write(h.EnrollToken(), []byte(text+"\n"), 0o600); err != nil {
		return fmt.Errorf("keep the token: %w", err)
	}
	return pin.Write(h.Pin())
}
