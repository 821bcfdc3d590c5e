package owner

import (
	"errors"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// MemberRef is what intents about the membership of a node are about.
func MemberRef(node keys.Public) api.Ref {
	return api.Ref{Kind: api.KindMember, Name: api.KeyName(node.Key())}
}

// Join makes the node of h, which trusts pin, a member where mine is the owner's
// key, unless it is one. What keeps that key from signing is the error.
func Join(h paths.Home, pin trust.Pin, mine func() (Key, error), now time.Time) error {
	_, err := trust.ReadMembership(h.Proof())
	if !errors.Is(err, trust.ErrNoMembership) {
		return err
	}
	k, err := mine()
	if errors.Is(err, ErrNoKey) {
		return nil
	}
	if err != nil || k.Pin() != pin {
		return err
	}
	node, err := keys.Read(h.NodeKey())
	if err != nil {
		return err
	}
	if err := k.Ready(); err != nil {
		return err
	}
	s := Signer{Key: k, Realm: pin.Realm}
	return s.join(h, pin, Admit(keys.PublicOf(node).Key(), nil), now)
}

// JoinAsClient makes the node of h a client of the realm of pin until the time
// comes, in the name of s.
func (s Signer) JoinAsClient(h paths.Home, pin trust.Pin, until, now time.Time) error {
	node, err := keys.Read(h.NodeKey())
	if err != nil {
		return err
	}
	m := &api.Membership{Expires: until.UTC().Truncate(time.Second)}
	return s.join(h, pin, Act{MemberRef(keys.PublicOf(node)), Say(m)}, now)
}

// join signs the first intent of act and keeps it as the node's membership.
func (s Signer) join(h paths.Home, pin trust.Pin, act Act, now time.Time) error {
	in, err := s.Act(ledger.New(pin), act, now, now)
	if err != nil {
		return err
	}
	return trust.WriteMembership(h.Proof(), api.Proof{Realm: pin.Realm, Intents: [][]byte{in.Envelope}})
}
