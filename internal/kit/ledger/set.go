package ledger

import (
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// place is where s belongs among the versions of its slot.
func (l *state) place(s intent.Signed) int {
	i, _ := slices.BinarySearchFunc(l.slots[s.Slot()], s.Version(), func(have intent.Signed, v intent.Version) int {
		if have.Version().Newer(v) {
			return -1
		}
		return 1
	})
	return i
}

func (l *state) insert(s intent.Signed) {
	slot := s.Slot()
	if len(l.slots[slot]) == 0 {
		l.byRef[s.Ref] = append(l.byRef[s.Ref], s.Signer)
		if l.bySigner[s.Signer] == nil {
			l.bySigner[s.Signer] = map[api.Ref]struct{}{}
		}
		l.bySigner[s.Signer][s.Ref] = struct{}{}
	}
	l.slots[slot] = slices.Insert(l.slots[slot], l.place(s), s)
	l.byDigest[s.Digest] = s
	part := &l.byPart[s.Digest[0]]
	if *part == nil {
		*part = map[api.Digest]struct{}{}
	}
	(*part)[s.Digest] = struct{}{}
	l.events = append(l.events, s)
	l.revision++
	l.shares[s.Signer] = l.shares[s.Signer].plus(s, 1)
	if !l.frozen(s) {
		l.flip(s, 1)
	}
}

// remove forgets s.
func (l *state) remove(s intent.Signed) {
	slot := s.Slot()
	l.slots[slot] = slices.DeleteFunc(l.slots[slot], func(o intent.Signed) bool { return o.Digest == s.Digest })
	delete(l.byDigest, s.Digest)
	delete(l.byPart[s.Digest[0]], s.Digest)
	delete(l.bodies, s.Digest)
	l.shares[s.Signer] = l.shares[s.Signer].plus(s, -1)
	if !l.frozen(s) {
		l.flip(s, -1)
	}
	l.events = append(l.events, s)
	l.revision++
	if len(l.slots[slot]) == 0 {
		l.vacate(slot)
	}
}

// vacate forgets a slot that has become empty.
func (l *state) vacate(slot Slot) {
	delete(l.slots, slot)
	signers := slices.DeleteFunc(l.byRef[slot.Ref], func(k keys.Public) bool { return k == slot.Signer })
	if l.byRef[slot.Ref] = signers; len(signers) == 0 {
		delete(l.byRef, slot.Ref)
	}
	delete(l.bySigner[slot.Signer], slot.Ref)
	if len(l.bySigner[slot.Signer]) == 0 {
		delete(l.bySigner, slot.Signer)
		delete(l.shares, slot.Signer)
	}
}

// flip takes s into what others compare, or out of it.
func (l *state) flip(s intent.Signed, n int) {
	l.changed[s.Digest[0]] = true
	l.count += n
}

// by lists what signer has signed and is held.
func (l *state) by(signer keys.Public) (out []intent.Signed) {
	for ref := range l.bySigner[signer] {
		out = append(out, l.slots[Slot{Ref: ref, Signer: signer}]...)
	}
	return out
}

// prune removes what signer has signed and unwanted says yes to. The nodes that it
// has let in may be no members any more.
func (l *state) prune(signer keys.Public, unwanted func(intent.Signed) bool) {
	for _, s := range l.by(signer) {
		if unwanted(s) {
			l.roster.stale = l.roster.stale || s.Witness != nil
			l.remove(s)
		}
	}
}

// top is the newest version in a slot that counts at now; ok is false for none.
func (l *state) top(slot Slot, now time.Time) (s intent.Signed, ok bool) {
	for _, v := range l.slots[slot] {
		if !early(v, now) {
			return v, true
		}
	}
	return intent.Signed{}, false
}

// early reports whether s was issued too far in the future to count yet. What says
// who may do what counts at once: a revocation must not wait for anybody's clock.
func early(s intent.Signed, now time.Time) bool {
	return !s.Kind.Trust() && s.Issued.After(now.Add(MaxAhead))
}
