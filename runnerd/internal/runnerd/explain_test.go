package runnerd

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
)

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
