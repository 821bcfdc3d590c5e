package owner

import (
	"crypto/ed25519"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
)

// Act is something to sign: a change of what is wanted of Ref.
type Act struct {
	api.Ref
	Change Change
}

// Act signs a, on top of what counts in l at now, as issued then. It does not add it
// to l. now is the node's time, issued the machine's: where a node stands still since
// its clock was ahead once, what is signed there must not look as if it came from
// the future.
func (s Signer) Act(l *ledger.Ledger, a Act, now, issued time.Time) (intent.Signed, error) {
	var cur *intent.Signed
	if c, ok := l.Current(a.Ref, now); ok {
		cur = &c
	}
	var at Place
	at.Seq, at.Prev = l.Next(a.Ref, now)
	return s.Next(a.Ref, at, cur, a.Change, issued)
}

// InviteRef is what intents about the invite with this key are about.
func InviteRef(k keys.Public) api.Ref {
	return api.Ref{Kind: api.KindInvite, Name: api.KeyName(k.Key())}
}

// Say asks for body, a message about keys, whatever there was before.
func Say(body api.Validator) Change {
	return func(*intent.Signed) (Wanted, error) { return Wanted{Body: body}, body.Validate() }
}

// Admit makes the node with this key a member, with these roles (none: its own).
func Admit(node ed25519.PublicKey, roles []string) Act {
	return Act{MemberRef(keys.Public(node)), Say(&api.Membership{Roles: roles})}
}

// Revoke leaves a tombstone, also where there was nothing: a node that an invite
// has let in is revoked so.
func Revoke(ref api.Ref) Act {
	return Act{ref, func(*intent.Signed) (Wanted, error) { return Wanted{Tombstone: true}, nil }}
}
