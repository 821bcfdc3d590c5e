package ledger

import (
	"cmp"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

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

func (l *Ledger) owner() keys.Public {
	if n := len(l.path); n > 0 {
		return newKey(l.path[n-1])
	}
	return l.pin.Owner
}

// newKey is the key that a checked rotation leads to.
func newKey(s intent.Signed) keys.Public {
	var r api.Rotation
	if err := json.Unmarshal(s.Body, &r); err != nil {
		return keys.Public{}
	}
	k, err := api.ParseKeyName(r.Key)
	if err != nil {
		return keys.Public{}
	}
	return keys.Public(k)
}

// Settled reports whether everything that goes on has been signed by the current
// owner key, so that nothing of retired ones counts any more.
func (l *Ledger) Settled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.settled()
}

func (l *Ledger) settled() bool {
	return len(l.slots[Slot{Ref: api.Ref{Kind: api.KindSettle, Name: api.NameOwner}, Signer: l.owner()}]) > 0
}

// frozen reports whether s was signed by a key that has been replaced: it counts
// until the rotation is settled, but is not passed on any more.
func (l *Ledger) frozen(s intent.Signed) bool {
	return s.Kind != api.KindRotate && l.retired[s.Signer]
}

// check reports why s is not to be held, whatever else is.
func (l *Ledger) check(s intent.Signed, now time.Time) error {
	switch {
	case s.Realm != l.pin.Realm:
		return fmt.Errorf("%w: %s, this node is of %s", ErrRealm, s.Realm, l.pin.Realm)
	case !s.Expires.IsZero() && !now.Before(s.Expires):
		return fmt.Errorf("%w: at %s", ErrExpired, s.Expires.Format(time.RFC3339))
	case s.Kind == api.KindRotate:
		return l.checkRotation(s)
	case l.retired[s.Signer]:
		return fmt.Errorf("%w: the owner has a new key since", ErrRevoked)
	case s.Kind == api.KindMember:
		return l.checkMember(s)
	case s.Signer == l.owner():
		return nil
	case s.Kind.Trust():
		return fmt.Errorf("%w: only the owner signs a %s", ErrUnauthorized, s.Kind)
	}
	return l.checkGranted(s)
}

// checkRotation reports why s does not lengthen the path of rotations, at its end
// or, for a node that began to follow the realm later, at its beginning.
func (l *Ledger) checkRotation(s intent.Signed) error {
	next := newKey(s)
	first, isFirst := l.pin.Owner, api.NewRealmID(s.Signer.Key()) == l.pin.Realm
	if len(l.path) > 0 {
		first = l.path[0].Signer
	}
	begins := next == first && s.Signer != l.owner() && !l.retired[s.Signer] && (len(l.path) == 0 || s.Seq+1 == l.path[0].Seq && l.path[0].Prev == s.Digest)
	var r api.Rotation
	switch err := json.Unmarshal(s.Body, &r); {
	case err != nil || next.IsZero() || !ed25519.Verify(next.Key(), api.RotationProof(s.Realm, s.Seq, s.Signer.Key()), r.Proof):
		return fmt.Errorf("%w: the new key has not agreed", ErrForbidden)
	case isFirst != (s.Seq == 1):
		return fmt.Errorf("%w: number 1 is signed by the first key of the realm, and no other", ErrForbidden)
	case begins:
		return nil
	case next == s.Signer, next == l.owner() && len(l.path) > 0, l.retired[next]:
		return fmt.Errorf("%w: a key comes back", ErrForbidden)
	}
	if s.Signer == l.owner() { // at the end
		if n := len(l.path); n > 0 && (s.Seq != l.path[n-1].Seq+1 || s.Prev != l.path[n-1].Digest) {
			return fmt.Errorf("%w: it does not follow the rotation before it", ErrForbidden)
		}
		return nil
	}
	if l.retired[s.Signer] {
		return fmt.Errorf("%w: it has handed the realm over to another key before", ErrRevoked)
	}
	return ErrUnauthorized
}

// apply draws the conclusions from an intent about keys that has just been added,
// and returns what is no longer held for it.
func (l *Ledger) apply(s intent.Signed, now time.Time) (dropped []intent.Signed) {
	switch s.Kind {
	case api.KindRotate:
		l.rotate(s)
	case api.KindSettle:
		for k := range l.retired {
			dropped = append(dropped, l.prune(k, func(o intent.Signed) bool { return o.Kind != api.KindRotate })...)
		}
		for k := range l.bySigner {
			if k != l.owner() && !l.retired[k] { // rotations by retired keys stay
				dropped = append(dropped, l.prune(k, func(o intent.Signed) bool { return l.check(o, now) != nil })...)
			}
		}
	case api.KindGrant, api.KindInvite:
		if k, err := api.ParseKeyName(s.Name); err == nil {
			dropped = l.prune(keys.Public(k), func(o intent.Signed) bool { return !l.frozen(o) && l.check(o, now) != nil })
		}
	}
	return dropped
}

// rotate takes a checked rotation into the path.
func (l *Ledger) rotate(s intent.Signed) {
	if len(l.path) > 0 && newKey(s) == l.path[0].Signer || len(l.path) == 0 && newKey(s) == l.pin.Owner {
		l.path = slices.Insert(l.path, 0, s)
	} else {
		l.path = append(l.path, s)
	}
	for _, o := range l.by(s.Signer) {
		if o.Kind != api.KindRotate {
			l.flip(o, -1)
		}
	}
	l.retired[s.Signer] = true
}

// prune removes what signer has signed and unwanted says yes to.
func (l *Ledger) prune(signer keys.Public, unwanted func(intent.Signed) bool) (out []intent.Signed) {
	for _, s := range l.by(signer) {
		if unwanted(s) {
			out = append(out, l.remove(s))
		}
	}
	return out
}

// ownerSlot is what the owner says about ref: under the current key, else under
// retired ones whose say is not over yet, the latest first.
func (l *Ledger) ownerSlot(ref api.Ref) (Slot, bool) {
	slot := Slot{Ref: ref, Signer: l.owner()}
	if len(l.slots[slot]) > 0 {
		return slot, true
	}
	for _, r := range slices.Backward(l.path) {
		if slot = (Slot{Ref: ref, Signer: r.Signer}); len(l.slots[slot]) > 0 {
			return slot, true
		}
	}
	return Slot{}, false
}

// grantOf is the grant that k holds, if it was not revoked.
func (l *Ledger) grantOf(k keys.Public) (g api.Grant, err error) {
	return body[api.Grant](l, api.Ref{Kind: api.KindGrant, Name: api.KeyName(k.Key())})
}

// inviteOf is the invite that k is the key of, if it was not revoked.
func (l *Ledger) inviteOf(k keys.Public) (api.Invite, error) {
	return body[api.Invite](l, api.Ref{Kind: api.KindInvite, Name: api.KeyName(k.Key())})
}

func body[T any](l *Ledger, ref api.Ref) (v T, err error) {
	slot, ok := l.ownerSlot(ref)
	if !ok {
		return v, ErrUnauthorized
	}
	s := l.slots[slot][0]
	if s.Tombstone {
		return v, fmt.Errorf("%w: the owner has revoked it", ErrRevoked)
	}
	return v, json.Unmarshal(s.Body, &v)
}

// checkGranted reports why the grant of s's signer does not cover s.
func (l *Ledger) checkGranted(s intent.Signed) error {
	g, err := l.grantOf(s.Signer)
	if err != nil {
		return err
	}
	right := s.Kind.Right()
	switch {
	case right == "":
		return fmt.Errorf("%w: only the owner signs a %s", ErrForbidden, s.Kind)
	case !slices.Contains(g.May, right):
		return fmt.Errorf("%w: its grant does not say %s", ErrForbidden, right)
	case !strings.HasPrefix(string(s.Name), g.Prefix):
		return fmt.Errorf("%w: its grant is for names that begin with %q", ErrForbidden, g.Prefix)
	case !g.Expires.IsZero() && s.Issued.After(g.Expires):
		return fmt.Errorf("%w: its grant ended at %s", ErrForbidden, g.Expires.Format(time.RFC3339))
	case len(g.Tags) > 0 && (len(s.Target.Tags) == 0 || !subset(s.Target.Tags, g.Tags)):
		return fmt.Errorf("%w: its grant is for members with a tag among %v: add --tag", ErrForbidden, g.Tags)
	case len(l.bySigner[s.Signer]) >= MaxPerGrant && len(l.slots[s.Slot()]) == 0:
		return fmt.Errorf("%w: a granted key may use %d names", ErrForbidden, MaxPerGrant)
	}
	return nil
}

func subset(a, of []string) bool {
	return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(of, s) })
}

// Fresh reports whether s may come in at now from whoever has just signed it: not
// under a grant that has ended. What members hold already is not asked for that,
// since what a grant was good for lasts longer than the grant.
func (l *Ledger) Fresh(s intent.Signed, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.Kind.Trust() || s.Signer == l.owner() {
		return nil
	}
	g, err := l.grantOf(s.Signer)
	if err == nil && !g.Expires.IsZero() && now.After(g.Expires) {
		return fmt.Errorf("%s number %d: %w: its grant ended at %s: ask the owner for a longer one", s.Ref, s.Seq, ErrExpired, g.Expires.Format(time.RFC3339))
	}
	return nil
}

// say lists who has a say about ref, the weightiest first: the owner, then granted
// keys, those that have had it longest first.
func (l *Ledger) say(ref api.Ref) []Slot {
	var out []Slot
	if slot, ok := l.ownerSlot(ref); ok {
		out = append(out, slot)
	}
	type holder struct {
		slot  Slot
		since time.Time
	}
	var holders []holder
	for _, k := range l.byRef[ref] {
		if k == l.owner() || l.retired[k] {
			continue
		}
		if g, err := l.grantOf(k); err == nil {
			holders = append(holders, holder{Slot{Ref: ref, Signer: k}, g.Since})
		}
	}
	slices.SortFunc(holders, func(a, b holder) int {
		return cmp.Or(a.since.Compare(b.since), slices.Compare(a.slot.Signer[:], b.slot.Signer[:]))
	})
	for _, h := range holders {
		out = append(out, h.slot)
	}
	return out
}
