package owner

import (
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// Claim decides whom the node of h trusts, and writes it down if nobody has yet:
// the configured key, else the key of this account. A node that is pinned stays
// pinned; to configure another owner for it is an error. Where there is no key at
// all it is [trust.ErrUnclaimed], which a node can live with: it accepts nothing.
func Claim(h paths.Home, configured string) (trust.Pin, error) {
	pin, err := trust.ReadPin(h.Pin())
	if err == nil {
		return pin, CheckOwner(h, pin, configured)
	}
	if !errors.Is(err, trust.ErrUnclaimed) {
		return trust.Pin{}, err
	}
	key, keyErr := newOwner(configured)
	if errors.Is(keyErr, ErrNoKey) {
		return trust.Pin{}, err
	}
	if keyErr != nil {
		return trust.Pin{}, keyErr
	}
	pin = trust.NewPin(key)
	return pin, pin.Write(h.Pin())
}

func newOwner(configured string) (keys.Public, error) {
	if configured != "" {
		return keys.ParsePublic(configured)
	}
	k, err := Load()
	if err != nil {
		return keys.Public{}, err
	}
	return k.Public(), nil
}

// ErrOtherOwner says that a node belongs to somebody else.
var ErrOtherOwner = errors.New("this node belongs to another owner")

// CheckOwner refuses to hand a node that is pinned to somebody else over to the
// configured owner ("" for none): what it runs and the marks that protect it from
// replays are all of its first realm.
func CheckOwner(h paths.Home, pin trust.Pin, configured string) error {
	if configured == "" || configured == pin.Owner.String() {
		return nil
	}
	return fmt.Errorf("%w: %s follows %s (realm %s), as %s says, and settings cannot hand it over to %s: give the new owner a node in a home of its own (--home), or remove this home first, with all that the node holds",
		ErrOtherOwner, h.Root(), pin.Owner, pin.Realm, h.Pin(), configured)
}

// MaySign tells whether a node with this pin will listen to k.
func (k Key) MaySign(pin trust.Pin) error {
	if k.Public() == pin.Owner {
		return nil
	}
	return fmt.Errorf("%w: it follows %s, and your key %s is %s: point %s at the key of its owner",
		ErrOtherOwner, pin.Owner, k.Path, k.Public(), paths.EnvOwnerKey)
}
