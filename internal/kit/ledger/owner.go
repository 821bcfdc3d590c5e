package ledger

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Owner is the key that speaks for the realm now.
func (l *Ledger) Owner() keys.Public {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.owner()
}

func (l *state) owner() keys.Public { return l.chief }

// newKey is the key that a rotation leads to; the zero key for one that cannot be read.
func newKey(s intent.Signed) keys.Public {
	var r api.Rotation
	if err := json.Unmarshal(s.Body, &r); err != nil {
		return keys.Public{}
	}
	return keyOf(api.Ref{Name: r.Key})
}

// keyOf is the key that an intent about keys is about; the zero key where its name
// is that of none.
func keyOf(r api.Ref) keys.Public {
	k, err := api.ParseKeyName(r.Name)
	if err != nil {
		return keys.Public{}
	}
	return keys.Public(k)
}

// word is what the owner says about ref, about which nothing is ever early: under
// the current key, else under retired ones whose say is not over yet, the latest first.
func (l *state) word(ref api.Ref) (s intent.Signed, ok bool) {
	if versions := l.slots[Slot{Ref: ref, Signer: l.owner()}]; len(versions) > 0 {
		return versions[0], true
	}
	for _, r := range slices.Backward(l.path) {
		if versions := l.slots[Slot{Ref: ref, Signer: r.Signer}]; len(versions) > 0 {
			return versions[0], true
		}
	}
	return s, false
}

// frozen reports whether s was signed by a key that has been replaced: it counts
// until the rotation is settled, but is not passed on any more.
func (l *state) frozen(s intent.Signed) bool {
	_, retired := l.retired[s.Signer]
	return retired && s.Kind != api.KindRotate
}

// checkRotation reports why s does not lengthen the path of rotations, at its end
// or, for a node that began to follow the realm later, at its beginning.
func (l *state) checkRotation(s intent.Signed) error {
	var r api.Rotation
	next, owner := newKey(s), l.owner()
	_, retired := l.retired[s.Signer]
	switch err := json.Unmarshal(s.Body, &r); {
	case err != nil || next.IsZero() || !ed25519.Verify(next.Key(), api.RotationProof(s.Realm, s.Seq, s.Signer.Key()), r.Proof):
		return fmt.Errorf("%w: the new key has not agreed", ErrForbidden)
	case (api.NewRealmID(s.Signer.Key()) == l.pin.Realm) != (s.Seq == 1):
		return fmt.Errorf("%w: number 1 is signed by the first key of the realm, and no other", ErrForbidden)
	case next == s.Signer, api.NewRealmID(next.Key()) == l.pin.Realm:
		return fmt.Errorf("%w: a key comes back", ErrForbidden)
	case retired:
		return fmt.Errorf("%w: it has handed the realm over to another key before", ErrRevoked)
	case s.Signer == owner:
		return l.checkLast(s, next)
	case next == l.first():
		return l.checkFirst(s)
	}
	return &missingError{s.Signer, "it is not the owner's"}
}

// first is the oldest key of the owner's that is known.
func (l *state) first() keys.Public {
	if len(l.path) > 0 {
		return l.path[0].Signer
	}
	return l.pin.Owner
}

// checkLast is about a rotation by the current key.
func (l *state) checkLast(s intent.Signed, next keys.Public) error {
	n := len(l.path)
	if _, retired := l.retired[next]; retired {
		return fmt.Errorf("%w: a key comes back", ErrForbidden)
	}
	if n > 0 && (s.Seq != l.path[n-1].Seq+1 || s.Prev != l.path[n-1].Digest) {
		return fmt.Errorf("%w: it does not follow the rotation before it", ErrForbidden)
	}
	return nil
}

// checkFirst is about a rotation to the oldest key that is known.
func (l *state) checkFirst(s intent.Signed) error {
	if len(l.path) > 0 && (s.Seq+1 != l.path[0].Seq || s.Digest != l.path[0].Prev) {
		return fmt.Errorf("%w: it is not the rotation before the next one", ErrForbidden)
	}
	return nil
}

// rotate takes a checked rotation into the path. What its signer has signed is
// frozen from now on.
func (l *state) rotate(s intent.Signed) {
	for _, o := range l.by(s.Signer) {
		if o.Kind != api.KindRotate {
			l.flip(o, -1)
		}
	}
	if s.Signer == l.owner() {
		l.path = append(l.path, s)
		l.chief = newKey(s)
	} else {
		l.path = slices.Insert(l.path, 0, s)
		if l.settled > 0 {
			l.settled++
		}
	}
	for i, r := range l.path {
		l.retired[r.Signer] = i
	}
	l.prune(l.owner(), func(o intent.Signed) bool { return l.allowed(o) != nil }) // as what it was before
}

var refSettle = api.Ref{Kind: api.KindSettle, Name: api.NameOwner}

// Settled reports whether the current owner key has said that everything that goes on
// has been signed by it.
func (l *Ledger) Settled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.slots[Slot{Ref: refSettle, Signer: l.owner()}]) > 0
}

// Settlement is the body of the intent that settles a rotation. Everything else that
// the new key has to sign must be in l.
func (l *Ledger) Settlement() api.Settled {
	l.mu.Lock()
	defer l.mu.Unlock()
	return api.Settled{Names: l.names(l.owner())}
}

// names is about how many names k has signed something that does not end, apart from
// rotations.
func (l *state) names(k keys.Public) (n int) {
	for ref := range l.bySigner[k] {
		ends := !l.slots[Slot{Ref: ref, Signer: k}][0].Expires.IsZero()
		if !ends && ref.Kind != api.KindRotate && ref.Kind != api.KindSettle {
			n++
		}
	}
	return n
}

// settle ends the say of retired keys: of those before the last key that has said so,
// and of which as much is held as it has signed until then. A set that is not
// complete yet would stop what goes on.
func (l *state) settle() {
	for i := len(l.path); i > l.settled; i-- {
		k := l.owner()
		if i < len(l.path) {
			k = l.path[i].Signer
		}
		if l.hasSettled(k) {
			l.settled = i
			l.void()
			return
		}
	}
}

func (l *state) hasSettled(k keys.Public) bool {
	return slices.ContainsFunc(l.slots[Slot{Ref: refSettle, Signer: k}], func(s intent.Signed) bool {
		var b api.Settled
		return json.Unmarshal(s.Body, &b) == nil && b.Names <= len(l.bySigner[k]) && b.Names <= l.names(k)
	})
}

// void removes what retired keys have signed, and then what others have signed on
// their word alone.
func (l *state) void() {
	for k, i := range l.retired {
		if i < l.settled {
			l.prune(k, func(s intent.Signed) bool { return s.Kind != api.KindRotate })
		}
	}
	for k := range l.bySigner {
		l.recheck(k)
	}
	l.roster.stale = true
}
