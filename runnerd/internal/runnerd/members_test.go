package runnerd

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/placement"
	"github.com/realm-mesh/realm/runnerd/internal/reconcile"
	"github.com/realm-mesh/realm/runnerd/internal/wasmtest"
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

// TestExplain asks where things run, and why.
func TestExplain(t *testing.T) {
	n, others := newMesh(t, 3)
	ref, ranks := n.ranked(2, 3, others)
	away := ranks[2]
	away.isGone()
	n.put(n.signBody(api.Ref{Kind: api.KindNode, Name: ranks[1].name}, api.NodeSettings{Drain: true}, n.owner))
	n.push(ref, n.sleeper(3, "here"))
	n.awaitState(ref, 1, api.StateRunning)
	ranks[0].says(n.prev[ref], api.StateFailed, 0)
	var x *api.ExplainReply
	for late := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if x = n.explain(ref); strings.Contains(x.Pending, "heard") {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("%+v", x)
		}
	}
	if x.Seq != 1 || x.Intent != n.prev[ref].Digest || x.Replicas != 3 || x.Desired != 2 || x.Running != 1 || x.Updated != 1 {
		t.Errorf("%+v", x)
	}
	if want := "2 of 3 can run: 1 member has not been heard of, 1 is drained"; x.Pending != want {
		t.Errorf("pending: %s", x.Pending)
	}
	type row struct {
		rank int
		live bool
		duty api.Duty
		at   api.State
		why  string
	}
	for i, want := range []row{
		{1, true, api.DutyRun, api.StateFailed, "it is number 1 in rank of the 3 that run it"},
		{2, true, api.DutyRun, api.StateRunning, "it is number 2 in rank of the 3 that run it"},
		{0, true, api.DutyNone, "", "it is drained"},
		{0, false, api.DutyNone, "", "it has not been heard of since 20"},
	} {
		m := x.Members[i]
		got := row{rank: m.Rank, live: m.Live, duty: m.Duty, why: m.Why}
		if m.Fact != nil {
			got.at = m.Fact.State
		}
		if i == 3 && strings.HasPrefix(got.why, want.why) {
			got.why = want.why
		}
		if got != want {
			t.Errorf("row %d: %+v, want %+v", i, got, want)
		}
		if i != 1 && m.Host != "host-"+m.Peer.Short() {
			t.Errorf("row %d: host %q", i, m.Host)
		}
	}
	if tail := x.Members[0].Fact.Tail; len(tail) != 1 || tail[0] != "last words" {
		t.Errorf("%+v", x.Members[0].Fact)
	}
	err := n.conn.Request(t.Context(), api.SubjectExplain, api.ExplainRequest{Ref: double}, &api.ExplainReply{})
	if err == nil || !strings.Contains(err.Error(), "nobody asks for it") {
		t.Error(err)
	}
	gpu := api.Ref{Kind: api.KindFunction, Name: "gpu"}
	n.put(n.sign(gpu, n.times(2), api.Target{Tags: []string{"tpu"}}, n.owner))
	n.push(double, n.times(2))
	n.awaitState(double, 1, api.StateRunning)
	if x := n.explain(gpu); x.Desired != 0 || x.Pending != "no member can run it: 3 members have no tag tpu, 1 has not been heard of" {
		t.Errorf("%+v", x)
	}
}

// TestEvents hears of each change of state.
func TestEvents(t *testing.T) {
	n := newNode(t)
	n.start()
	events := make(chan api.Event, 100)
	cancel, err := n.conn.Subscribe(api.SubjectEvent(worker), func(_ string, b []byte) {
		var e api.Event
		if err := api.Decode(b, api.MaxMessage, &e); err != nil {
			t.Error(err)
		}
		events <- e
	})
	n.check(err)
	defer cancel()
	n.push(worker, n.sleeper(0, "hello"))
	n.awaitState(worker, 1, api.StateRunning)
	n.push(worker, nil)
	n.awaitState(worker, 2, api.StateRemoved)
	var seen []api.State
	last := api.State("")
	for last != api.StateRemoved {
		select {
		case e := <-events:
			if e.From != last || e.Ref != worker || e.Peer != n.self || e.Seq == 0 || e.Time.IsZero() {
				t.Errorf("after %q: %+v", last, e)
			}
			last = e.To
			seen = append(seen, e.To)
		case <-time.After(10 * time.Second):
			t.Fatalf("no more events after %v", seen)
		}
	}
	for _, s := range []api.State{api.StateFetching, api.StateStarting, api.StateRunning, api.StateRemoved} {
		if !slices.Contains(seen, s) {
			t.Errorf("%s is not told of: %v", s, seen)
		}
	}
}

// TestMetrics counts what is desired and runs.
func TestMetrics(t *testing.T) {
	n, others := newMesh(t, 1)
	here, _ := n.ranked(1, 1, others)
	n.push(here, n.sleeper(1, "here"))
	elsewhere, _ := n.ranked(2, 1, others)
	n.push(elsewhere, n.sleeper(1, "elsewhere"))
	n.push(worker, n.script(wasmtest.Leave(3)))
	n.put(n.signBody(api.Ref{Kind: api.KindManifest, Name: "shop"}, api.Manifest{Version: 7}, n.owner))
	n.push(double, n.times(2))
	n.awaitState(double, 1, api.StateRunning)
	n.awaitState(here, 1, api.StateRunning)
	n.await(worker, func(f api.WorkloadFact) bool { return f.Restarts > 0 && f.State == api.StateBackoff })
	_, body := n.request(http.MethodGet, "/metrics", "")
	lines := strings.Split(body, "\n")
	for _, want := range []string{"components_desired 2", "components_running 1", "components_drift 1", `manifest_version{manifest="shop"} 7`,
		"agent_commands_received_total 7"} {
		if !slices.Contains(lines, want) {
			t.Errorf("%s is missing among %v", want, slices.DeleteFunc(lines, func(l string) bool {
				return !strings.HasPrefix(l, "components_") && !strings.HasPrefix(l, "manifest_") && !strings.HasPrefix(l, "agent_")
			}))
		}
	}
	if !slices.ContainsFunc(lines, func(l string) bool {
		return strings.HasPrefix(l, "agent_restarts_total ") && l != "agent_restarts_total 0"
	}) {
		t.Error("no restart is counted")
	}
}

// TestAccount asks this node alone about a workload.
func TestAccount(t *testing.T) {
	n := newNode(t)
	n.start()
	n.push(worker, n.script(wasmtest.Out("one\n"), wasmtest.Err("two\n"), wasmtest.Out("three\n"), wasmtest.Sleep(time.Hour)))
	n.awaitState(worker, 1, api.StateRunning)
	ask := func(path string) (int, api.Account) {
		resp, body := n.request(http.MethodGet, path, "")
		var a api.Account
		if resp.StatusCode == http.StatusOK {
			n.check(api.Decode([]byte(body), api.MaxMessage, &a))
		}
		return resp.StatusCode, a
	}
	code, a := ask(api.PathAccount(worker) + "?tail=2")
	if code != http.StatusOK || a.Duty != api.DutyRun || a.Fact == nil || a.Fact.State != api.StateRunning || len(a.Log) != 2 {
		t.Fatalf("%d %+v", code, a)
	}
	if a.Log[0].Line != "two" || a.Log[0].Stream != "stderr" || a.Log[1].Line != "three" {
		t.Errorf("%+v", a.Log)
	}
	if _, a := ask(api.PathAccount(worker)); len(a.Log) != 0 {
		t.Errorf("%+v", a.Log)
	}
	if code, a := ask(api.PathAccount(double)); code != http.StatusOK || a.Fact != nil || a.Duty != api.DutyNone {
		t.Errorf("%d %+v", code, a)
	}
	for _, path := range []string{api.PathAccount(worker) + "?tail=-1", api.PathAccount(worker) + "?tail=101", api.PathAccount(worker) + "?tail=x",
		"/workloads/grant/x", "/workloads/component/..%2Fx"} {
		if code, _ := ask(path); code != http.StatusBadRequest {
			t.Errorf("%s: %d", path, code)
		}
	}
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
