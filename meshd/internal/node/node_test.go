package node

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/meshd/internal/gossip"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

func TestIntentSpreads(t *testing.T) {
	o := meshtest.NewRealm(t)
	all := mesh(t, o, 5) // a star at first: all know the first one alone
	for i, m := range all {
		s := m.next(t, o, "web")
		start := time.Now()
		m.submit(t, s)
		for _, other := range all {
			until(t, 5*time.Second, "everybody has the intent", func() bool { return other.holds(s) })
		}
		t.Logf("number %d on all five after %v", i+1, time.Since(start))
	}
	// The same again is a success; one that does not follow is refused.
	last := all[1].next(t, o, "web")
	all[1].submit(t, last)
	all[1].submit(t, last)
	if _, err := all[1].Submit(t.Context(), o.Component(t, "web", 2).Envelope); !errors.Is(err, intents.ErrOvertaken) {
		t.Errorf("Submit of an older intent = %v", err)
	}
}

// TestBadIntentsAreRefused has a member that does not check publish what others
// must refuse. That they do not pass it on either is shown in package gossip.
func TestBadIntentsAreRefused(t *testing.T) {
	o, stranger := meshtest.NewRealm(t), meshtest.NewRealm(t)
	liar := newPlace(t, o).start(t)
	honest := newPlace(t, o).start(t, liar)
	far := newPlace(t, o).start(t, honest)
	waitMesh(t, liar, honest, far)
	old, good := o.Component(t, "good", 1), o.Component(t, "good", 2)
	for _, s := range []intent.Signed{old, good} {
		liar.keeper.Accept([]intent.Signed{s}, intents.BySync)
		liar.tell(t.Context(), s)
	}
	until(t, 5*time.Second, "the good one spreads", func() bool { return honest.holds(good) && far.holds(good) && honest.holds(old) })

	tampered := o.Component(t, "tampered", 1).Envelope
	tampered[len(tampered)/3] ^= 1
	moved := *o
	moved.Pin = stranger.Pin
	ci := meshtest.Key(t)
	grant := o.Grant(t, ci, api.Grant{May: []api.Right{api.RightPush}, Prefix: "ci-", Since: time.Now()})
	for _, m := range []*member{liar, honest, far} {
		if _, errs := m.keeper.Accept([]intent.Signed{grant}, intents.BySync); errs[0] != nil {
			t.Fatal(errs[0])
		}
	}
	topic := api.TopicIntent(o.Pin.Realm)
	for _, c := range []struct { // after the last one the liar is not heard any more
		name     string
		envelope []byte
		verdict  gossip.Verdict
	}{
		{"known", good.Envelope, gossip.Ignore},
		{"of a newer kind", signRaw(t, o, `{"kind":"hologram"}`), gossip.Ignore},
		{"by a stranger", o.ComponentBy(t, stranger.Key, "forged", 1).Envelope, gossip.Useless},
		{"outside a grant", o.ComponentBy(t, ci, "web", 1).Envelope, gossip.Reject},
		{"tampered", tampered, gossip.Reject},
		{"of other realm", moved.Component(t, "moved", 1).Envelope, gossip.Reject},
		{"rubbish", []byte("hello"), gossip.Garbage},
	} {
		t.Run(c.name, func(t *testing.T) {
			what := "gossip " + topic + " " + c.verdict.String()
			before := honest.seen.count(what)
			if err := liar.gossip.Publish(t.Context(), topic, c.envelope); err != nil {
				t.Fatal(err)
			}
			until(t, 5*time.Second, what, func() bool { return honest.seen.count(what) > before })
			for _, m := range []*member{honest, far} {
				if n := m.workloads(); n != 1 {
					t.Errorf("intents about %d programs are held", n)
				}
			}
		})
	}
}

// signRaw signs a payload that this version may not understand.
func signRaw(t *testing.T, r *meshtest.Realm, payload string) []byte {
	t.Helper()
	signer, err := dsse.NewEnvelopeSigner(rawSigner{r.Key})
	if err != nil {
		t.Fatal(err)
	}
	env, err := signer.SignPayload(context.Background(), api.PayloadIntent, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(env)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

type rawSigner struct{ key ed25519.PrivateKey }

func (s rawSigner) Sign(_ context.Context, data []byte) ([]byte, error) {
	return ed25519.Sign(s.key, data), nil
}
func (s rawSigner) KeyID() (string, error) { return keys.PublicOf(s.key).String(), nil }

func TestLateJoinerCatchesUp(t *testing.T) {
	o := meshtest.NewRealm(t)
	all := mesh(t, o, 2)
	var signed []intent.Signed
	for i := range 300 { // more than one answer holds
		s := o.Component(t, "w"+string(rune('a'+i/26))+string(rune('a'+i%26)), 1)
		signed = append(signed, s)
		all[0].submit(t, s)
	}
	late := newPlace(t, o).start(t, all[1])
	took := until(t, 5*time.Second, "a late joiner has everything", func() bool { return late.workloads() == len(signed) })
	t.Logf("300 intents after %v", took)
}

// TestReturnsAfterPush is down while something is pushed, and is found and brought
// up to date through what it remembers alone.
func TestReturnsAfterPush(t *testing.T) {
	o := meshtest.NewRealm(t)
	all := mesh(t, o, 3)
	all[2].stop()
	for _, m := range all[:2] {
		until(t, 5*time.Second, "the member that left is gone", func() bool { return m.Neighbours() == 1 })
	}
	s := o.Component(t, "web", 1)
	all[0].submit(t, s)
	start := time.Now()
	back := all[2].place.start(t)
	until(t, 5*time.Second, "it has what was pushed meanwhile", func() bool { return back.holds(s) })
	t.Logf("up to date %v after its start", time.Since(start))
	waitMesh(t, all[0], all[1], back)
}

// TestHalvesMeet has what one half learnt by sync spread in the other half.
func TestHalvesMeet(t *testing.T) {
	o := meshtest.NewRealm(t)
	left, right := mesh(t, o, 2), mesh(t, o, 2)
	s := o.Component(t, "web", 1)
	left[0].submit(t, s)
	bridge := newPlace(t, o).start(t, left[1], right[0])
	took := until(t, 5*time.Second, "the other half has it", func() bool { return right[0].holds(s) && right[1].holds(s) })
	t.Logf("after %v", took)
	waitMesh(t, left[0], left[1], right[0], right[1], bridge)
}

// TestFullDisk has gossip arrive while it cannot be kept.
func TestFullDisk(t *testing.T) {
	o := meshtest.NewRealm(t)
	all := mesh(t, o, 2)
	all[1].place.full.Store(true)
	s := o.Component(t, "web", 1)
	all[0].submit(t, s)
	until(t, 5*time.Second, "the failure is seen", func() bool { return all[1].seen.count("gossip news=false err=true") > 0 })
	all[1].place.full.Store(false)
	until(t, 5*time.Second, "sync has tried again", func() bool { return all[1].holds(s) })
}

func TestOtherRealmStaysOut(t *testing.T) {
	ours, theirs := meshtest.NewRealm(t), meshtest.NewRealm(t)
	a := newPlace(t, ours).start(t)
	b := newPlace(t, theirs).start(t, a)
	c := newPlace(t, ours).start(t, a)
	waitMesh(t, a, c)
	until(t, 10*time.Second, "the stranger has been met", func() bool { return a.watch.IsStranger(b.host.ID()) || b.watch.IsStranger(a.host.ID()) })
	if b.Neighbours() != 0 || a.Neighbours() != 1 || len(a.host.Network().ConnsToPeer(b.host.ID())) != 0 {
		t.Errorf("neighbours: %d of the stranger, %d of a member", b.Neighbours(), a.Neighbours())
	}
}
