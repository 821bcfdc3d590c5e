package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/meshd/internal/conduct"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

// TestConductIsSeen has a member send what it should not, and people read of it.
func TestConductIsSeen(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 3)
	liar, others := all[0], []*view{watchTable(all[1]), watchTable(all[2])}
	reads := func(text string) func() bool {
		return func() bool {
			return strings.Contains(others[0].peer(t, liar.self).Conduct, text) && strings.Contains(others[1].peer(t, liar.self).Conduct, text)
		}
	}
	forged := []byte(strings.Replace(string(r.Component(t, "web", 1).Envelope), `"sig":"`, `"sig":"AAAA`, 1))
	if err := liar.gossip.Publish(t.Context(), api.TopicIntent(r.Pin.Realm), forged); err != nil {
		t.Fatal(err)
	}
	until(t, 10*time.Second, "the others say that it forges", reads("forged"))
	epoch := time.Now().Add(time.Hour).UnixNano()
	for _, host := range []string{"here", "there"} { // two statements with one number
		raw, err := json.Marshal(api.FactBatch{Epoch: epoch, Seq: 1, Peer: &api.PeerFact{Peer: liar.self, Version: "v0", Platform: "none", Host: host}})
		if err != nil {
			t.Fatal(err)
		}
		if err := liar.gossip.Publish(t.Context(), api.TopicPeer(r.Pin.Realm), raw); err != nil {
			t.Fatal(err)
		}
	}
	until(t, 10*time.Second, "the others say that it contradicts itself", reads("different things under one number"))
	if c := others[0].peer(t, all[2].self).Conduct; c != "" {
		t.Errorf("an honest member is blamed: %s", c)
	}
}

// TestCutOff has a member behave so badly that it is cut off, and stays so.
func TestCutOff(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 2)
	v := watchTable(all[0])
	bad := all[1].host.ID()
	all[0].conduct.NoteMany(bad, conduct.Garbage, 100)
	until(t, 10*time.Second, "it is cut off", func() bool { return all[0].Neighbours() == 0 })
	until(t, 10*time.Second, "people read why", func() bool { return strings.Contains(v.peer(t, all[1].self).Conduct, "cut off until") })
	if err := all[1].host.Connect(t.Context(), meshtest.Info(all[0].host)); err == nil {
		until(t, 10*time.Second, "it is cut off again", func() bool { return len(all[0].host.Network().ConnsToPeer(bad)) == 0 })
	}
}

// TestBurstOfIntents has a build server push a lot at once to a member. Everybody
// has it soon, and nobody is blamed.
func TestBurstOfIntents(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 3)
	const n = 1000
	for i := range n {
		all[i%2].submit(t, r.Component(t, fmt.Sprintf("w%d", i), 1))
	}
	took := until(t, 30*time.Second, "everybody has everything", func() bool {
		return all[0].workloads() == n && all[1].workloads() == n && all[2].workloads() == n
	})
	t.Logf("everybody has %d intents %v after the last was submitted", n, took)
	for _, m := range all {
		for _, o := range all {
			if s := m.conduct.Sentence(o.host.ID()); s != "" {
				t.Errorf("%s is blamed: %s", o.self.Short(), s)
			}
		}
	}
}

// TestSubmitFollows: of two people who push the same number to one member the second
// hears of it; on two members both are kept, and all agree on one.
func TestSubmitFollows(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 2)
	mine := r.Component(t, "web", 1)
	theirs := r.Sign(t, r.Key, api.Intent{Ref: ref("web"), Seq: 1}, api.Component{Module: api.Program{Blob: api.Sum([]byte("theirs")), Size: 7}})
	all[0].submit(t, mine)
	if _, err := all[0].Submit(t.Context(), theirs.Envelope); !errors.Is(err, intents.ErrOvertaken) {
		t.Errorf("Submit of a second number 1 = %v", err)
	}
	all[1].keeper.Accept([]intent.Signed{theirs}, intents.BySync) // as after a partition
	all[1].tell(t.Context(), theirs)
	until(t, 10*time.Second, "both hold both", func() bool { return all[0].holds(theirs) && all[1].holds(mine) })
	one, _ := all[0].ledger().Current(ref("web"), time.Now())
	two, _ := all[1].ledger().Current(ref("web"), time.Now())
	if one.Digest != two.Digest {
		t.Error("they do not agree")
	}
}
