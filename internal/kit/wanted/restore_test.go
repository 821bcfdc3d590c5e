package wanted

import (
	"maps"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// TestRotation hands the realm over while workloads run, with a restart at each step.
func TestRotation(t *testing.T) {
	for _, restarts := range []bool{false, true} {
		n := newNode(t)
		again := func() {
			if restarts {
				n.restart()
			}
		}
		next := key(2)
		settle := api.Ref{Kind: api.KindSettle, Name: api.NameOwner}
		ci, other := key(5), api.Ref{Kind: api.KindFunction, Name: "other"}
		old, byCI := n.sign(owner, double, 1, function(1)), n.sign(ci, triple, 1, function(3))
		n.show(old, n.sign(owner, grantFor(ci), 1, grant("")), byCI)
		n.show(n.rotate(owner, next, 1))
		again()
		n.wantIs(double, old) // frozen, and counts
		n.wantIs(triple, byCI)
		if !n.book.Stands(old) {
			t.Error("a version by the owner's former key does not stand")
		}

		good := maps.Clone(n.bucket)
		n.show(n.sign(owner, double, 2, function(9)), n.sign(owner, grantFor(key(8)), 1, grant("")), n.sign(key(8), other, 1, function(9))) // by a thief
		again()
		n.wantIs(other, intent.Signed{})
		if !restarts { // else the thief has taken its key away, and nobody can tell
			n.wantIs(double, old)
		}
		n.bucket = good
		again()
		n.wantIs(double, old)
		n.pin.Owner = keys.PublicOf(next) // meshd has written it
		again()
		n.wantIs(double, old)
		n.wantIs(triple, byCI)

		anew := n.sign(next, double, 2, function(1))
		n.show(anew, n.sign(next, grantFor(ci), 2, grant("")))
		again()
		n.wantIs(double, anew)
		n.show(n.sign(next, settle, 1, api.Settled{}))
		for _, s := range []intent.Signed{old, n.sign(owner, grantFor(ci), 1, grant(""))} {
			n.hide(s)
		}
		again()
		n.wantIs(double, anew)
		n.wantIs(triple, byCI)

		third := key(3)
		n.show(n.rotate(next, third, 2))
		again()
		n.wantIs(double, anew)
		n.wantIs(triple, byCI)
		if restarts && n.wants[double].News {
			t.Error("what was known is news")
		}
	}
}

// TestPinInTheMiddle starts with the pin of a key that the bucket leads on from, and to.
func TestPinInTheMiddle(t *testing.T) {
	first, second, third := owner, key(2), key(3)
	for name, at := range map[string]keys.Public{"first": keys.PublicOf(first), "second": keys.PublicOf(second), "third": keys.PublicOf(third)} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t)
			old := n.sign(first, double, 1, function(1))
			other := n.sign(first, triple, 1, function(3))
			n.show(old)
			n.show(other, n.rotate(first, second, 1), n.rotate(second, third, 2)) // in this order
			n.wantIs(triple, other)
			n.pin.Owner = at
			n.restart()
			n.wantIs(double, old)
			n.wantIs(triple, other)
			last := n.sign(third, double, 2, function(2))
			n.show(last)
			n.wantIs(double, last)
		})
	}
}

// TestFalsePath shows rotations that lead to the pinned key and were never agreed to.
func TestFalsePath(t *testing.T) {
	thief := key(9)
	n := newNode(t)
	mine := n.sign(owner, double, 1, function(1))
	n.show(mine)
	forged := n.sign(thief, api.Ref{Kind: api.KindRotate, Name: api.NameOwner}, 2,
		api.Rotation{Key: nameOf(owner), Proof: make([]byte, 64)})
	n.bucket[forged.Slot().Key()] = forged.Envelope
	theirs := n.sign(thief, triple, 1, function(2))
	n.bucket[theirs.Slot().Key()] = theirs.Envelope
	round := n.rotate(thief, thief, 1) // to itself
	n.bucket[round.Slot().Key()] = round.Envelope
	n.restart()
	n.wantIs(double, mine)
	n.wantIs(triple, intent.Signed{})
}

// TestRetiredKeyOnFirstStart starts for the first time in the middle of a
// rotation: nobody can tell what was signed before it.
func TestRetiredKeyOnFirstStart(t *testing.T) {
	n := newNode(t)
	old := n.sign(owner, double, 1, function(1))
	rotation := n.rotate(owner, key(2), 1)
	anew := n.sign(key(2), triple, 1, function(2))
	for _, s := range []intent.Signed{old, rotation, anew} {
		n.bucket[s.Slot().Key()] = s.Envelope
	}
	n.restart()
	n.wantIs(double, intent.Signed{})
	n.wantIs(triple, anew)
}
