package runnerd

import (
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/placement"
	"github.com/realm-mesh/realm/runnerd/internal/reconcile"
)

// member is another one, of which this test says what its meshd and runnerd would.
type member struct {
	*node
	id   api.PeerID
	name api.Name
}

// join makes so many others members, which are up.
func (n *node) join(count int) (out []*member) {
	n.Helper()
	own, err := keys.Read(n.home.NodeKey())
	n.check(err)
	n.put(n.signBody(api.Ref{Kind: api.KindMember, Name: keyName(own)}, api.Membership{}, n.owner))
	for range count {
		_, key, err := ed25519.GenerateKey(nil)
		n.check(err)
		m := &member{node: n, id: keys.Peer(keys.PublicOf(key).Key()), name: keyName(key)}
		n.put(n.signBody(api.Ref{Kind: api.KindMember, Name: m.name}, api.Membership{}, n.owner))
		m.isThere()
		out = append(out, m)
	}
	return out
}

// capacity is small, so that this node ranks like the others.
var capacity = api.Capacity{CPUs: 1, MemoryMB: 1 << 20}

func (m *member) isThere() {
	m.Helper()
	m.tells(api.BucketPeers, string(m.id), api.PeerRecord{PeerFact: api.PeerFact{Peer: m.id, Host: "host-" + m.id.Short(), Capacity: capacity}, Live: true})
}

func (m *member) isGone() {
	m.Helper()
	m.tells(api.BucketPeers, string(m.id), api.PeerRecord{PeerFact: api.PeerFact{Peer: m.id, Host: "host-" + m.id.Short(), Capacity: capacity}, Since: time.Now()})
}

// says has m say where it stands with s.
func (m *member) says(s intent.Signed, at api.State, serving uint64) {
	m.Helper()
	m.tells(api.BucketWorkloads, api.KeyWorkload(s.Ref, m.id),
		api.WorkloadFact{Ref: s.Ref, Peer: m.id, Intent: s.Digest, Seq: s.Seq, State: at, Serving: serving, Tail: []string{"last words"}})
}

func (n *node) tells(bucket, key string, v any) {
	n.Helper()
	b, err := json.Marshal(v)
	n.check(err)
	n.check(n.bucket(bucket).Put(n.Context(), key, b))
}

// ranked is a component with so many replicas for which this node has the rank, from 1,
// and the others in their order.
func (n *node) ranked(rank, replicas int, others []*member) (api.Ref, []*member) {
	n.Helper()
	all := []placement.Member{{Peer: n.self, Capacity: capacity}}
	for _, m := range others {
		all = append(all, placement.Member{Peer: m.id, Capacity: capacity})
	}
	for i := range 1000 {
		ref := api.Ref{Kind: api.KindComponent, Name: api.Name("c" + strings.Repeat("x", i%50) + string(rune('a'+i/50)))}
		in := placement.Place(placement.Workload{Ref: ref, Replicas: replicas, MemoryMB: api.DefaultMemoryMB}, all).In
		if in[rank-1] != n.self {
			continue
		}
		slices.SortFunc(others, func(a, b *member) int { return slices.Index(in, a.id) - slices.Index(in, b.id) })
		return ref, others
	}
	n.Fatal("no name has this rank")
	return api.Ref{}, nil
}

// sleeper is a component that runs on.
func (n *node) sleeper(replicas int, says string) *api.Component {
	c := n.script(wasmtest.Out(says+"\n"), wasmtest.Sleep(time.Hour))
	c.Replicas = replicas
	return c
}

func (n *node) explain(ref api.Ref) *api.ExplainReply {
	n.Helper()
	var x api.ExplainReply
	n.check(n.conn.Request(n.Context(), api.SubjectExplain, api.ExplainRequest{Ref: ref}, &x))
	return &x
}

// awaitDuty waits until this node owes ref what it should.
func (n *node) awaitDuty(ref api.Ref, duty api.Duty) api.Ranked {
	n.Helper()
	var last api.Ranked
	for late := time.Now().Add(30 * time.Second); time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
		var x api.ExplainReply
		if n.conn.Request(n.Context(), api.SubjectExplain, api.ExplainRequest{Ref: ref}, &x) != nil {
			continue // it has not heard of it yet
		}
		for _, m := range x.Members {
			if m.Peer == n.self {
				last = m
			}
		}
		if last.Duty == duty {
			return last
		}
	}
	n.Fatalf("%s: this node owes it %+v, and not %s", ref, last, duty)
	return last
}

func (n *node) isHere(ref api.Ref) bool {
	n.Helper()
	all, err := n.bucket(api.BucketWorkloads).All(n.Context(), api.KeyWorkload(ref, n.self))
	n.check(err)
	var f api.WorkloadFact
	if len(all) > 0 {
		n.check(json.Unmarshal(all[0].Value, &f))
	}
	return f.State != "" && f.State != api.StateRemoved
}

func newMesh(t *testing.T, others int) (*node, []*member) {
	t.Helper()
	n := newNode(t)
	n.settings = []string{"REALM_CAPACITY_CPUS=1", "REALM_CAPACITY_MB=1048576"}
	all := n.join(others)
	n.start()
	return n, all
}

// TestSuccessor has one of three run a program, and then another.
func TestSuccessor(t *testing.T) {
	n, others := newMesh(t, 2)
	first, _ := n.ranked(1, 1, others)
	n.push(first, n.sleeper(1, "first"))
	n.awaitState(first, 1, api.StateRunning)

	ref, ranks := n.ranked(2, 1, others)
	n.push(ref, n.sleeper(1, "second"))
	n.awaitDuty(ref, api.DutyNone)
	ranks[0].says(n.prev[ref], api.StateRunning, 0)
	if n.isHere(ref) {
		t.Error("it runs where it ranks second of one")
	}
	ranks[0].isGone()
	begun := time.Now()
	n.awaitState(ref, 1, api.StateRunning)
	if took := time.Since(begun); took < reconcile.Grace || took > 2*reconcile.Grace {
		t.Errorf("the second steps in after %v", took)
	}
	n.check(n.bucket(api.BucketWorkloads).Delete(t.Context(), api.KeyWorkload(ref, ranks[0].id)))

	ranks[0].isThere() // and has yet to start it
	n.awaitDuty(ref, api.DutyKeep)
	ranks[0].says(n.prev[ref], api.StateStarting, 0)
	time.Sleep(placement.Pause + time.Second)
	if f := n.await(ref, func(f api.WorkloadFact) bool { return f.Seq == 1 }); f.State != api.StateRunning {
		t.Errorf("it does not go on until the first is ready: %+v", f)
	}
	n.kill() // a start gives nothing up either
	n.start()
	n.awaitState(ref, 1, api.StateRunning)
	n.awaitDuty(ref, api.DutyKeep)
	ranks[0].says(n.prev[ref], api.StateRunning, 0)
	n.awaitState(ref, 1, api.StateRemoved)
	if w := n.awaitDuty(ref, api.DutyNone); w.Rank != 2 {
		t.Errorf("%+v", w)
	}
	n.awaitState(first, 1, api.StateRunning)
}

// TestUpdateWaitsForOthers has a new version be tried elsewhere first.
func TestUpdateWaitsForOthers(t *testing.T) {
	n, others := newMesh(t, 2)
	ref, ranks := n.ranked(2, 0, others)
	n.push(ref, n.sleeper(0, "one"))
	n.awaitState(ref, 1, api.StateRunning)
	for _, m := range ranks {
		m.says(n.prev[ref], api.StateRunning, 0)
	}
	next := n.sign(ref, n.sleeper(0, "two"), api.Target{}, n.owner)
	ranks[0].says(next, api.StateStarting, 1)
	time.Sleep(200 * time.Millisecond) // it says so before this node hears of the version
	n.put(next)
	f := n.awaitState(ref, 2, api.StatePrepared)
	if f.Serving != 1 || !strings.Contains(f.Reason, "…"+ranks[0].id.Short()+" changes to the new version first") {
		t.Errorf("%+v", f)
	}
	ranks[0].says(next, api.StateFailed, 1)
	n.await(ref, func(f api.WorkloadFact) bool { return strings.Contains(f.Reason, "not ready on") })
	time.Sleep(placement.Pause + time.Second)
	if f := n.await(ref, func(f api.WorkloadFact) bool { return f.Seq == 2 }); f.State != api.StatePrepared || f.Serving != 1 {
		t.Errorf("it is tried though it has failed elsewhere: %+v", f)
	}
	ranks[0].says(next, api.StateRunning, 0)
	n.awaitState(ref, 2, api.StateRunning)
}

// TestDrainAndRefusal has the owner drain this node, and others refuse.
func TestDrainAndRefusal(t *testing.T) {
	n, others := newMesh(t, 2)
	ref, ranks := n.ranked(1, 1, others)
	n.push(ref, n.sleeper(1, "here"))
	n.awaitState(ref, 1, api.StateRunning)
	own, err := keys.Read(n.home.NodeKey())
	n.check(err)
	settings := api.Ref{Kind: api.KindNode, Name: keyName(own)}
	n.put(n.signBody(settings, api.NodeSettings{Drain: true}, n.owner))
	if m := n.awaitDuty(ref, api.DutyKeep); !strings.Contains(m.Why, "it is drained") || m.Rank != 0 {
		t.Errorf("%+v", m)
	}
	ranks[0].says(n.prev[ref], api.StateRunning, 0)
	n.awaitState(ref, 1, api.StateRemoved)
	n.put(n.signBody(settings, nil, n.owner))
	n.awaitState(ref, 1, api.StateRunning)

	second, ranks := n.ranked(2, 1, others)
	n.push(second, n.sleeper(1, "second"))
	n.awaitDuty(second, api.DutyNone)
	ranks[0].says(n.prev[second], api.StateRefused, 0)
	n.awaitState(second, 1, api.StateRunning)
}

// TestWhatOthersSayIsChecked has nonsense lie in the buckets.
func TestWhatOthersSayIsChecked(t *testing.T) {
	n, others := newMesh(t, 1)
	ref, ranks := n.ranked(2, 1, others)
	peers, facts := n.bucket(api.BucketPeers), n.bucket(api.BucketWorkloads)
	rest := func(b *bus.Bucket, key, value string) { n.check(b.Put(t.Context(), key, []byte(value))) }
	rest(peers, string(n.self), `{"peer":"`+string(ranks[0].id)+`","live":true}`)
	rest(peers, "x", `{}`)
	rest(peers, string(ranks[0].id), `not json`)
	rest(facts, "component.x", `{}`)
	rest(facts, api.KeyWorkload(ref, ranks[0].id), `{"kind":"component","name":"other"}`)
	n.push(ref, n.sleeper(1, "x"))
	n.awaitDuty(ref, api.DutyNone)
	n.push(double, n.times(2))
	n.awaitState(double, 1, api.StateRunning)
}
