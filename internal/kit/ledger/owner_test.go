package ledger

import (
	"crypto/ed25519"
	"errors"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// rotationWith is a rotation of which something is wrong.
func rotationWith(t testing.TB, from ed25519.PrivateKey, seq uint64, prev api.Digest, body api.Rotation) intent.Signed {
	t.Helper()
	return sign(t, from, api.Intent{Ref: api.Ref{Kind: api.KindRotate, Name: api.NameOwner}, Seq: seq, Prev: prev}, body)
}

func TestRotationsThatAreRefused(t *testing.T) {
	k := []ed25519.PrivateKey{owner, key(2), key(3), key(4), key(5)}
	one := rotation(t, k[0], k[1], 1)
	two := rotation(t, k[1], k[2], 2, one)
	three := rotation(t, k[2], k[3], 3, two)
	agrees := func(next, old ed25519.PrivateKey, seq uint64) api.Rotation {
		return api.Rotation{Key: name(next), Proof: ed25519.Sign(next, api.RotationProof(thePin.Realm, seq, pub(old).Key()))}
	}
	late := trust.Pin{Realm: thePin.Realm, Owner: pub(k[2])}
	for _, tt := range []struct {
		name string
		pin  trust.Pin
		held []intent.Signed
		s    intent.Signed
		err  error
	}{
		{"good", thePin, nil, one, nil},
		{"the next one", thePin, []intent.Signed{one}, two, nil},
		{"the new key has agreed to another number", thePin, nil, rotationWith(t, k[0], 1, api.Digest{}, agrees(k[1], k[0], 2)), ErrForbidden},
		{"the new key has agreed to another old one", thePin, nil, rotationWith(t, k[0], 1, api.Digest{}, agrees(k[1], k[2], 1)), ErrForbidden},
		{"somebody else has agreed", thePin, nil, rotationWith(t, k[0], 1, api.Digest{}, api.Rotation{Key: name(k[1]), Proof: agrees(k[2], k[0], 1).Proof}), ErrForbidden},
		{"the first one with number 2", thePin, nil, rotationWith(t, k[0], 2, one.Digest, agrees(k[1], k[0], 2)), ErrForbidden},
		{"the second one with number 1", thePin, []intent.Signed{one}, rotationWith(t, k[1], 1, api.Digest{}, agrees(k[2], k[1], 1)), ErrForbidden},
		{"a number is left out", thePin, []intent.Signed{one}, rotationWith(t, k[1], 3, one.Digest, agrees(k[2], k[1], 3)), ErrForbidden},
		{"after another one", thePin, []intent.Signed{one}, rotationWith(t, k[1], 2, two.Digest, agrees(k[2], k[1], 2)), ErrForbidden},
		{"to itself", thePin, nil, rotationWith(t, k[0], 1, api.Digest{}, agrees(k[0], k[0], 1)), ErrForbidden},
		{"back", thePin, []intent.Signed{one}, rotationWith(t, k[1], 2, one.Digest, agrees(k[0], k[1], 2)), ErrForbidden},
		{"again, to another", thePin, []intent.Signed{one}, rotationWith(t, k[0], 1, api.Digest{}, agrees(k[4], k[0], 1)), ErrRevoked},
		{"of a stranger", thePin, nil, rotationWith(t, k[4], 2, one.Digest, agrees(k[3], k[4], 2)), ErrUnauthorized},
		{"before the first key", thePin, nil, rotationWith(t, k[4], 2, one.Digest, agrees(k[0], k[4], 2)), ErrForbidden},
		{"for one who came late", late, nil, two, nil},
		{"for one who came late, and on from there", late, []intent.Signed{two}, three, nil},
		{"for one who came late, on from there", late, nil, three, nil},
		{"for one who came late, and has gone on", late, []intent.Signed{three}, two, nil},
		{"for one who came late, from the beginning", late, []intent.Signed{three, two}, one, nil},
		{"for one who came late, without what is between", late, nil, one, ErrUnauthorized},
		{"not the one before", late, []intent.Signed{three}, rotationWith(t, k[1], 2, three.Digest, agrees(k[2], k[1], 2)), ErrForbidden},
		{"with a number too far before", late, []intent.Signed{three, two}, rotationWith(t, k[4], 5, one.Digest, agrees(k[1], k[4], 5)), ErrForbidden},
	} {
		l := New(tt.pin)
		mustAdd(t, l, tt.held...)
		was := l.Owner()
		c, err := l.Add(tt.s, t0)
		if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) || err == nil && !c.Trust {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err != nil && l.Owner() != was {
			t.Errorf("%s: the owner is %s", tt.name, l.Owner())
		}
		verify(t, l)
	}
}

// Settlement counts what the new key has signed that lasts.
func TestSettlement(t *testing.T) {
	second := key(2)
	l := New(thePin)
	if l.Settled() || l.Settlement().Names != 0 {
		t.Error("before any rotation")
	}
	mustAdd(t, l, component(t, owner, "a", 1), rotation(t, owner, second, 1))
	mustAdd(t, l, component(t, second, "a", 2), component(t, second, "a", 3), component(t, second, "owner", 1), grant(t, second, key(3), 1, api.Grant{}),
		tombstone(t, second, about(api.KindMember, key(4)), 1), sign(t, second, api.Intent{Ref: api.Ref{Kind: "secret", Name: "x"}}, 1),
		sign(t, second, api.Intent{Ref: api.Ref{Kind: "job", Name: "x"}, Expires: t0.Add(time.Hour)}, 1))
	s := l.Settlement()
	if s.Names != 5 || l.Settled() {
		t.Errorf("%d names", s.Names)
	}
	mustAdd(t, l, settle(t, second, 1, s.Names))
	if !l.Settled() || l.Settlement() != s || len(l.History(web("a"), t0)) != 2 {
		t.Errorf("settled %v, %+v", l.Settled(), l.Settlement())
	}
	// Said, and not done: something is missing.
	l = New(thePin)
	mustAdd(t, l, component(t, owner, "a", 1), rotation(t, owner, second, 1), settle(t, second, 1, 1))
	if _, ok := l.Current(web("a"), t0); !l.Settled() || !ok {
		t.Errorf("settled %v, held %v", l.Settled(), ok)
	}
}

func TestEarlyAndTop(t *testing.T) {
	l := New(thePin)
	now, soon, later := component(t, owner, "a", 1), sign(t, owner, api.Intent{Ref: web("a"), Seq: 2, Issued: t0.Add(time.Hour)}, api.Component{Module: program}),
		sign(t, owner, api.Intent{Ref: web("b"), Issued: t0.Add(2 * time.Hour)}, api.Component{Module: program})
	mustAdd(t, l, now, later, soon, sign(t, owner, api.Intent{Ref: about(api.KindMember, key(3)), Issued: t0.Add(3 * time.Hour)}, api.Membership{}))
	early := l.Early(t0)
	if len(early) != 2 || early[0].Digest != soon.Digest || early[1].Digest != later.Digest {
		t.Errorf("%v", refs(early))
	}
	if s, ok := l.Top(now.Slot(), t0); !ok || s.Digest != now.Digest {
		t.Errorf("%v, %v", s.Seq, ok)
	}
	if s, ok := l.Top(later.Slot(), t0); ok {
		t.Errorf("%v counts already", s.Ref)
	}
	if tops := l.Tops(t0); len(tops) != 2 || tops[now.Slot()].Digest != now.Digest {
		t.Errorf("%d tops", len(tops))
	}
	if len(l.Early(t0.Add(time.Hour-MaxAhead))) != 1 || len(l.Early(t0.Add(9*time.Hour))) != 0 || len(l.Tops(t0.Add(9*time.Hour))) != 3 {
		t.Error("later")
	}
}

// Whose signature is nothing to the owner stays outside: witnesses, and names.
func TestOwnersWordNeedsNoWitness(t *testing.T) {
	first := key(3)
	l := New(thePin)
	mustAdd(t, l, admit(t, owner, first, 1))
	if _, err := l.Add(witnessed(t, admit(t, owner, first, 1), key(9), t0), t0); !errors.Is(err, ErrForbidden) {
		t.Errorf("%v", err)
	}
	if _, err := l.Add(client(t, owner, key(4), t0.Add(time.Hour)), t0); !errors.Is(err, ErrClient) {
		t.Errorf("%v", err)
	}
	if len(l.History(refMember(pub(first)), t0)) != 1 {
		t.Error("a fork of the owner's word was made without the owner")
	}
}

func TestHistoryOfJoins(t *testing.T) {
	first, inv, node := key(3), key(4), key(5)
	l := New(thePin)
	mustAdd(t, l, admit(t, owner, first, 1), invite(t, owner, inv, 1, api.Invite{}), witnessed(t, join(t, inv, node), first, t0), witnessed(t, join(t, inv, node), first, t0.Add(1e9)))
	h := l.History(refMember(pub(node)), t0)
	if len(h) != 2 || h[0].State != api.VersionCurrent || h[1].State != api.VersionFork || h[0].Owner {
		t.Errorf("%+v", h)
	}
	mustAdd(t, l, admit(t, owner, node, 1))
	if h := l.History(refMember(pub(node)), t0); len(h) != 3 {
		t.Errorf("%+v", h)
	}
}
