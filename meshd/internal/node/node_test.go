package node

import (
	"errors"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/meshd/internal/intents"
)

func TestIntentSpreads(t *testing.T) {
	o := newOwner(t)
	all := mesh(t, o, 5) // a star at first: all know the first one alone
	for i, m := range all {
		s := o.sign(t, "web", uint64(i+1))
		start := time.Now()
		m.submit(t, s)
		for _, other := range all {
			until(t, 5*time.Second, "everybody has the intent", func() bool { return other.holds(s) })
		}
		t.Logf("on all five after %v", time.Since(start))
	}
	// The same again is a success; an older one is refused.
	all[0].submit(t, o.sign(t, "again", 1))
	last := o.sign(t, "web", 9)
	all[1].submit(t, last)
	all[1].submit(t, last)
	if _, err := all[1].Submit(t.Context(), o.sign(t, "web", 2).Envelope); !errors.Is(err, intents.ErrOlder) {
		t.Errorf("Submit of an older intent = %v", err)
	}
}

// TestBadIntentsAreRefused has a member that does not check publish what others
// must refuse. That they do not pass it on either is shown in package gossip.
func TestBadIntentsAreRefused(t *testing.T) {
	o, stranger := newOwner(t), newOwner(t)
	liar := newPlace(t, o).start(t)
	honest := newPlace(t, o).start(t, liar)
	far := newPlace(t, o).start(t, honest)
	waitMesh(t, liar, honest, far)
	good := o.sign(t, "good", 2)
	liar.submit(t, good)
	until(t, 5*time.Second, "the good one spreads", func() bool { return honest.holds(good) && far.holds(good) })

	forged := stranger
	forged.pin = o.pin
	tampered := o.sign(t, "tampered", 1).Envelope
	tampered[len(tampered)/3] ^= 1
	otherRealm := o
	otherRealm.pin = stranger.pin
	topic := api.TopicIntent(o.pin.Realm)
	for name, c := range map[string]struct {
		envelope []byte
		verdict  string
	}{
		"wrong owner":     {forged.sign(t, "forged", 1).Envelope, "rejected"},
		"tampered":        {tampered, "rejected"},
		"of other realm":  {otherRealm.sign(t, "moved", 1).Envelope, "rejected"},
		"replayed":        {o.sign(t, "good", 1).Envelope, "ignored"},
		"known":           {good.Envelope, "ignored"},
		"of a newer kind": {o.signRaw(t, `{"kind":"hologram"}`), "ignored"},
	} {
		t.Run(name, func(t *testing.T) {
			what := "gossip " + topic + " " + c.verdict
			before := honest.seen.count(what)
			if err := liar.gossip.Publish(t.Context(), topic, c.envelope); err != nil {
				t.Fatal(err)
			}
			until(t, 5*time.Second, what, func() bool { return honest.seen.count(what) > before })
			for _, m := range []*member{honest, far} {
				if n := m.Intents(); n != 1 {
					t.Errorf("%d intents are held", n)
				}
			}
		})
	}
}

func TestLateJoinerCatchesUp(t *testing.T) {
	o := newOwner(t)
	all := mesh(t, o, 2)
	var signed []intent.Signed
	for i := range 300 { // more than one answer holds
		s := o.sign(t, "w"+string(rune('a'+i/26))+string(rune('a'+i%26)), 1)
		signed = append(signed, s)
		all[0].submit(t, s)
	}
	late := newPlace(t, o).start(t, all[1])
	took := until(t, 5*time.Second, "a late joiner has everything", func() bool { return late.Intents() == len(signed) })
	t.Logf("300 intents after %v", took)
}

// TestReturnsAfterPush is down while something is pushed, and is found and brought
// up to date through what it remembers alone.
func TestReturnsAfterPush(t *testing.T) {
	o := newOwner(t)
	all := mesh(t, o, 3)
	all[2].stop()
	for _, m := range all[:2] {
		until(t, 5*time.Second, "the member that left is gone", func() bool { return m.Neighbours() == 1 })
	}
	s := o.sign(t, "web", 1)
	all[0].submit(t, s)
	start := time.Now()
	back := all[2].place.start(t)
	until(t, 5*time.Second, "it has what was pushed meanwhile", func() bool { return back.holds(s) })
	t.Logf("up to date %v after its start", time.Since(start))
	waitMesh(t, all[0], all[1], back)
}

// TestHalvesMeet has what one half learnt by sync spread in the other half.
func TestHalvesMeet(t *testing.T) {
	o := newOwner(t)
	left, right := mesh(t, o, 2), mesh(t, o, 2)
	s := o.sign(t, "web", 1)
	left[0].submit(t, s)
	bridge := newPlace(t, o).start(t, left[1], right[0])
	took := until(t, 5*time.Second, "the other half has it", func() bool { return right[0].holds(s) && right[1].holds(s) })
	t.Logf("after %v", took)
	waitMesh(t, left[0], left[1], right[0], right[1], bridge)
}

// TestStoreThatFails has gossip arrive while it cannot be kept.
func TestStoreThatFails(t *testing.T) {
	o := newOwner(t)
	all := mesh(t, o, 2)
	all[1].place.store.Fail(errors.New("the bus is away"))
	s := o.sign(t, "web", 1)
	all[0].submit(t, s)
	until(t, 5*time.Second, "the failure is seen", func() bool { return all[1].seen.count("gossip news=false err=true") > 0 })
	all[1].place.store.Fail(nil)
	until(t, 5*time.Second, "sync has tried again", func() bool { return all[1].holds(s) })
}

func TestOtherRealmStaysOut(t *testing.T) {
	ours, theirs := newOwner(t), newOwner(t)
	a := newPlace(t, ours).start(t)
	b := newPlace(t, theirs).start(t, a)
	c := newPlace(t, ours).start(t, a)
	waitMesh(t, a, c)
	until(t, 10*time.Second, "the stranger is known as one", func() bool { return a.watch.IsStranger(b.host.ID()) || b.watch.IsStranger(a.host.ID()) })
	until(t, 10*time.Second, "the stranger is cut off", func() bool { return len(a.host.Network().ConnsToPeer(b.host.ID())) == 0 })
	if b.Neighbours() != 0 || a.Neighbours() != 1 {
		t.Errorf("neighbours: %d of the stranger, %d of a member", b.Neighbours(), a.Neighbours())
	}
}
