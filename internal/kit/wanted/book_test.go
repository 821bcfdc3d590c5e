package wanted

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

func TestOwner(t *testing.T) {
	n := newNode(t)
	first := n.sign(owner, double, 1, function(1))
	n.show(first)
	n.wantIs(double, first)
	if w := n.wants[double]; !w.News {
		t.Errorf("%+v", w)
	}
	second := n.sign(owner, double, 2, function(2))
	n.show(second)
	n.wantIs(double, second)
	n.show(first) // a replay
	n.wantIs(double, second)
	gone := n.sign(owner, double, 3, nil)
	n.show(gone)
	n.wantIs(double, gone)
	back := n.sign(owner, double, 4, function(1))
	n.show(back)
	n.hide(back) // a key that is gone says nothing
	n.wantIs(double, back)
	if n.book.Count() != 1 {
		t.Error(n.book.Count())
	}
}

// TestReplayAfterRestart puts the bus back to an old copy while the process is down.
func TestReplayAfterRestart(t *testing.T) {
	n := newNode(t)
	first, other := n.sign(owner, double, 1, function(1)), n.sign(owner, triple, 1, function(3))
	n.show(first, other)
	old := maps.Clone(n.bucket)
	second := n.sign(owner, double, 2, function(2))
	n.show(second)
	n.restart()
	n.wantIs(double, second)
	if w := n.wants[double]; w.News {
		t.Error("what was known before the restart is news")
	}
	n.bucket = old
	n.restart()
	n.wantIs(double, intent.Signed{})
	n.wantIs(triple, other)
	n.show(second)
	n.wantIs(double, second)
}

func TestForksEndTheSame(t *testing.T) {
	one, two := newNode(t), newNode(t)
	a, b := one.sign(owner, double, 1, function(1)), one.sign(owner, double, 1, function(2))
	one.show(a)
	one.show(b)
	two.show(b)
	two.show(a)
	winner := a
	if b.Version().Newer(a.Version()) {
		winner = b
	}
	one.wantIs(double, winner)
	two.wantIs(double, winner)
}

func TestOthersAreNotFollowed(t *testing.T) {
	n := newNode(t)
	stranger := key(9)
	n.show(n.sign(stranger, double, 1, function(1)))
	foreign := n.sign(owner, double, 1, function(1), func(in *api.Intent) { in.Realm = api.NewRealmID(keys.PublicOf(stranger).Key()) })
	n.show(foreign)
	n.wantIs(double, intent.Signed{})
	good := n.sign(owner, double, 1, function(1))
	for name, s := range map[string]Shown{
		"the key of another": {Key: n.sign(owner, triple, 1, function(1)).Slot().Key(), Envelope: good.Envelope},
		"nothing":            {Key: good.Slot().Key()},
		"no envelope":        {Key: good.Slot().Key(), Envelope: []byte("{}")},
		"damaged":            {Key: good.Slot().Key(), Envelope: []byte(strings.Replace(string(good.Envelope), `"payload":"`, `"payload":"A`, 1))},
		"no slot":            {Key: "function.double", Envelope: good.Envelope},
		"an unknown kind":    {Key: "future.double.x", Envelope: []byte("{}")},
	} {
		c, err := n.book.Take([]Shown{s}, false)
		if err != nil || len(c.Wants) != 0 || c.Taken != 0 {
			t.Errorf("%s: %v %v", name, c, err)
		}
	}
	n.show(good)
	n.wantIs(double, good)
}

func TestGrants(t *testing.T) {
	n := newNode(t)
	ci := key(5)
	early := n.sign(ci, double, 1, function(1))
	n.show(early) // before anybody has allowed it
	n.wantIs(double, intent.Signed{})
	n.show(n.sign(owner, grantFor(ci), 1, grant("other")))
	n.wantIs(double, intent.Signed{})
	n.show(n.sign(owner, grantFor(ci), 2, grant("d")))
	n.wantIs(double, early)
	mine := n.sign(owner, double, 1, function(2))
	n.show(mine)
	n.wantIs(double, mine)
	later := n.sign(ci, double, 2, function(3)) // nobody overwrites the owner
	n.show(later)
	n.wantIs(double, mine)
	gone, last := n.sign(owner, double, 3, nil), n.sign(ci, double, 4, function(4))
	n.show(gone, last)
	n.wantIs(double, last)
	if !n.book.Stands(last) || !n.book.Stands(early) {
		t.Error("a version of a signer with a say does not stand")
	}
	n.show(n.sign(owner, grantFor(ci), 3, nil))
	n.wantIs(double, gone)
	if n.book.Stands(last) {
		t.Error("a version of a revoked signer stands")
	}
	if _, err := n.book.Open(last.Envelope); err == nil {
		t.Error("a kept version of a revoked signer is opened")
	}
	n.restart()
	n.wantIs(double, gone)
	n.show(n.sign(owner, grantFor(ci), 4, grant("d")))
	n.wantIs(double, last)
}

// TestNobodyAsksAnyMore has the only signer of a workload lose its say.
func TestNobodyAsksAnyMore(t *testing.T) {
	n := newNode(t)
	ci := key(5)
	s := n.sign(ci, double, 1, function(1))
	n.show(n.sign(owner, grantFor(ci), 1, grant("")), s)
	n.wantIs(double, s)
	n.show(n.sign(owner, grantFor(ci), 2, nil))
	w := n.wants[double]
	if w.Digest != s.Digest || !strings.Contains(w.Lost, "revoked") {
		t.Errorf("%d %q", w.Seq, w.Lost)
	}
	n.hide(s)
	n.restart()
	n.wantIs(double, intent.Signed{})
	if len(n.wants) != 0 {
		t.Errorf("what was lost before the start is told of: %+v", n.wants)
	}
}

// TestWhatIsDroppedIsToldAgain has the version before the wanted one, which may run in
// its place, lose its say: whoever runs it has to look.
func TestWhatIsDroppedIsToldAgain(t *testing.T) {
	n := newNode(t)
	ci := key(5)
	n.show(n.sign(owner, grantFor(ci), 1, grant("")), n.sign(ci, double, 1, function(1)))
	mine := n.sign(owner, double, 2, function(2))
	n.show(mine)
	delete(n.wants, double)
	n.show(n.sign(owner, grantFor(ci), 2, nil))
	n.wantIs(double, mine)
}

// TestFromTheFuture shows a version that was issued ahead of this node's clock.
func TestFromTheFuture(t *testing.T) {
	n := newNode(t)
	first := n.sign(owner, double, 1, function(1))
	n.show(first)
	if _, ok := n.book.Next(); ok {
		t.Error("there is nothing to wait for")
	}
	later := n.sign(owner, double, 2, function(2), func(in *api.Intent) { in.Issued = t0.Add(time.Hour) })
	n.show(later)
	n.wantIs(double, first)
	next, ok := n.book.Next()
	if !ok || next.Before(t0.Add(50*time.Minute)) || next.After(t0.Add(time.Hour)) {
		t.Errorf("%v %v", next, ok)
	}
	n.hear(n.book.Look())
	n.wantIs(double, first)
	n.now = next
	n.hear(n.book.Look())
	n.wantIs(double, later)
}

func TestNoOwnerYet(t *testing.T) {
	n := newNode(t)
	n.pin = trust.Pin{}
	s := n.sign(owner, double, 1, function(1))
	for _, more := range []bool{true, false} {
		c, err := n.book.Take([]Shown{{Key: s.Slot().Key(), Envelope: s.Envelope}}, more)
		if len(c.Wants) != 0 || !more && !errors.Is(err, trust.ErrUnclaimed) {
			t.Errorf("%v %v", c, err)
		}
	}
	if n.book.Stands(s) {
		t.Error("something stands without an owner")
	}
	if _, err := n.book.Look(); !errors.Is(err, trust.ErrUnclaimed) {
		t.Error(err)
	}
	n.pin = pin
	n.hear(n.book.Look())
	n.wantIs(double, s)
}

// TestFullDisk does nothing before the marks are kept.
func TestFullDisk(t *testing.T) {
	n := newNode(t)
	s := n.sign(owner, double, 1, function(1))
	n.marks.err = errDisk
	c, err := n.book.Take([]Shown{{Key: s.Slot().Key(), Envelope: s.Envelope}}, false)
	if len(c.Wants) != 0 || !errors.Is(err, errDisk) {
		t.Errorf("%v %v", c, err)
	}
	n.marks.err = nil
	n.hear(n.book.Look())
	n.wantIs(double, s)
	if !n.wants[double].News {
		t.Error("it is no news")
	}
	if got := n.marks.At(s.Slot()); got != s.Version() {
		t.Error(got)
	}
}

func TestManyAtOnce(t *testing.T) {
	n := newNode(t)
	const many = 10_000
	var all []intent.Signed
	for i := range many {
		all = append(all, n.sign(owner, api.Ref{Kind: api.KindFunction, Name: api.Name(fmt.Sprint("f", i))}, 1, function(byte(i))))
	}
	begun := time.Now()
	for at := 0; at < many; at += 500 {
		n.show(all[at : at+500]...)
	}
	t.Logf("%d intents in %v, %d waits for the disk", many, time.Since(begun).Round(time.Millisecond), n.marks.puts)
	if len(n.wants) != many || n.marks.puts > many/500 {
		t.Errorf("%d wants, %d waits for the disk", len(n.wants), n.marks.puts)
	}
	begun = time.Now()
	n.show(n.sign(owner, grantFor(key(5)), 1, grant("")))
	t.Logf("a grant among them: %v", time.Since(begun).Round(time.Millisecond))
	begun = time.Now()
	n.restart()
	t.Logf("after a restart: %v", time.Since(begun).Round(time.Millisecond))
	if len(n.wants) != many {
		t.Errorf("%d wants", len(n.wants))
	}
}

// TestAnyOrder shows one set of intents in many orders and parts.
func TestAnyOrder(t *testing.T) {
	base := newNode(t)
	ci, dev := key(5), key(6)
	refs := []api.Ref{double, triple, {Kind: api.KindComponent, Name: "web"}}
	var all []intent.Signed
	add := func(s intent.Signed) { all = append(all, s) }
	add(base.sign(owner, grantFor(ci), 1, grant("")))
	add(base.sign(owner, grantFor(dev), 1, grant("t")))
	add(base.sign(owner, grantFor(dev), 2, nil))
	add(base.sign(owner, member(self), 1, api.Membership{Roles: []string{"gpu"}}))
	for i, ref := range refs {
		for seq := range uint64(4) {
			add(base.sign(owner, ref, seq+1, function(byte(seq))))
			add(base.sign(owner, ref, seq+1, function(byte(seq+100))))
			add(base.sign(ci, ref, seq+3, function(byte(seq)), func(in *api.Intent) { in.Target.Tags = []string{"gpu"} }))
			add(base.sign(dev, ref, seq+4, function(byte(seq))))
		}
		if i > 0 {
			add(base.sign(owner, ref, 5, nil))
		}
	}
	base.show(all...)
	for round := range 50 {
		n := newNode(t)
		mixed := append(append([]intent.Signed{}, all...), all[:len(all)/2]...)
		rand.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		for len(mixed) > 0 {
			k := 1 + rand.IntN(min(len(mixed), 7))
			n.show(mixed[:k]...)
			mixed = mixed[k:]
		}
		for _, ref := range refs {
			if got, want := n.wants[ref], base.wants[ref]; !got.Same(want) {
				t.Fatalf("round %d: %s: number %d by %s, want number %d by %s", round, ref, got.Seq, got.Signer, want.Seq, want.Signer)
			}
		}
	}
}

// FuzzTake shows what anybody may have written into the bucket.
func FuzzTake(f *testing.F) {
	n := newNode(f)
	for _, s := range []intent.Signed{
		n.sign(owner, double, 1, function(1)), n.sign(owner, double, 2, nil), n.sign(key(9), double, 1, function(1)),
		n.sign(owner, grantFor(key(5)), 1, grant("d")), n.sign(owner, member(self), 1, api.Membership{}), n.rotate(owner, key(2), 1),
	} {
		f.Add(s.Slot().Key(), s.Envelope)
	}
	f.Add("function.double", []byte("{}"))
	f.Fuzz(func(t *testing.T, key string, envelope []byte) {
		book := New(Config{Pin: func() (trust.Pin, error) { return pin, nil }, Marks: noMarks{},
			Now: func() time.Time { return t0 }, Log: slog.New(slog.DiscardHandler)})
		c, err := book.Take([]Shown{{Key: key, Envelope: envelope}}, false)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range c.Wants {
			if w.Signer != pin.Owner || w.Realm != pin.Realm || w.Slot().Key() != key {
				t.Fatalf("%s by %s under %s is wanted", w.Ref, w.Signer, key)
			}
		}
	})
}

// noMarks keep nothing.
type noMarks struct{}

func (noMarks) At(intent.Slot) intent.Version                   { return intent.Version{} }
func (noMarks) AdvanceAll(map[intent.Slot]intent.Version) error { return nil }
