package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/nodetest"
)

// runnerd has the node of m answer what its runnerd knows.
func (m *mesh) runnerd() *nodetest.Runnerd {
	r := &nodetest.Runnerd{T: m.t, Home: m.home, Conn: nodetest.As(m.t, m.home, api.Runnerd), Self: peerA, Mesh: m.meshd,
		Explain: func(ref api.Ref) (api.ExplainReply, error) {
			return api.ExplainReply{}, fmt.Errorf("%s: nobody asks for it", ref)
		}}
	r.Serve()
	return r
}

// dial connects to the node of m.
func (m *mesh) dial() *node.Node {
	m.t.Helper()
	n, err := node.Dial(m.context(), m.home)
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}

func (m *mesh) context() context.Context { return nodetest.Context(m.t) }

func lines(all ...string) (out []api.LogLine) {
	for _, l := range all {
		out = append(out, api.LogLine{Line: l})
	}
	return out
}

func TestExplain(t *testing.T) {
	m := newMesh(t)
	r := m.runnerd()
	m.peer(member(peerC, "gamma", false, false))
	m.want(0, nil, "push", "--name", "web", "--file", m.file, "--wait=false")
	var last intent.Signed
	m.seq.After = func(in intent.Signed) { last = in }
	m.want(0, nil, "push", "--name", "web", "--file", m.file, "--arg", "bad", "--tag", "edge", "--wait=false")
	ref := last.Ref
	r.Explain = func(ref api.Ref) (api.ExplainReply, error) {
		return api.ExplainReply{Ref: ref, Seq: 2, Intent: last.Digest, Desired: 1, Running: 1, Members: []api.Ranked{
			{Peer: peerB, Host: "beta", Live: true, Rank: 1, Duty: api.DutyRun, Why: "every member that its target names runs it"},
			{Peer: peerA, Host: "alpha", Live: true, Duty: api.DutyNone, Why: "it has no tag edge"},
			{Peer: peerC, Host: "gamma", Duty: api.DutyNone, Why: "it has not been heard of since noon"},
		}}, nil
	}
	m.tell(last, peerB, api.StateStarting, "")
	m.store.Copies = func(d api.Digest) api.BlobCopies { return on(d, []api.PeerID{peerA}, []api.PeerID{peerB}, nil) }
	failed := api.WorkloadFact{Ref: ref, Peer: peerB, Intent: last.Digest, Seq: 2, State: api.StateFailed, Reason: "exit code 2", Serving: 1, Restarts: 3, Since: time.Now(), Tail: []string{"no luck"}}
	r.Tell(peerB, ref, api.Account{Fact: &failed, Duty: api.DutyRun, Why: "every member that its target names runs it", Log: lines("one", "two", "three", "\x1b[2Jfour")})
	r.Tell(peerA, ref, api.Account{Duty: api.DutyNone, Why: "it has no tag edge"})

	m.want(0, []string{
		"component/web\n", "running on every node with tag edge", "version   2, signed by owner ", "95 B, sha256 646da07a1d8d",
		"1 of 1 node; version 2 on 0 of them", "kept      on 1 of 2 members: alpha; on its way to beta\n",
		"1     beta (…G1aoDd2p)", "run   failed", "3\n      every member that its target names runs it\n", "failed: exit code 2\n", "version 1 goes on\n",
		"| two\n", "| [2Jfour\n", "alpha (…4kx6nXTN), this node  none", "it has no tag edge", "gamma (…Ku1BcvMA), away", "since noon",
		"Next:\n  realm rollback web   # goes back to the version before 2",
	}, "explain", "web")
	code, out, _ := m.realm("explain", "component/web", "--json", "--tail", "1")
	var v explainView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 {
		t.Fatalf("%d %v\n%s", code, err, out)
	}
	if v.Wanted != "running" || v.Version != 2 || v.SignedBy != "owner" || v.Desired != 1 || v.Running != 1 || v.Updated != 0 || len(v.Members) != 3 || v.Copies == nil || len(v.Copies.Lack) != 1 ||
		v.Members[0].Host != "beta" || v.Members[0].Serving != 1 || len(v.Members[0].Log) != 1 || !v.Members[1].Self || v.Members[2].Live || len(v.Next) == 0 {
		t.Errorf("--json:\n%s", out)
	}
}

// What runnerd here and members do not answer is made up by what the node knows, and said.
func TestExplainOfWhatDoesNotAnswer(t *testing.T) {
	m := newMesh(t)
	r := m.runnerd()
	r.Explain = func(api.Ref) (api.ExplainReply, error) {
		return api.ExplainReply{}, errors.New("it has just started")
	}
	m.seq.After = func(in intent.Signed) { m.tell(in, peerA, api.StateRunning, "") }
	m.want(0, nil, "push", "--name", "web", "--file", m.file, "--http", "cgi", "--replicas", "3", "--wait=false")
	m.want(0, []string{"running, 3 replicas", "cgi, 95 B", "1 of 3 replicas", "pending   2 of 3 replicas can run: there are no more nodes", "problem   it has just started",
		"alpha (…4kx6nXTN), this node", "running", "did not answer itself: ask about component/web: the peer is not connected",
		"realm scale web 2   # asks for as many as there is room for"}, "explain", "web")
}

// A member without its runnerd runs nothing, whatever it said before.
func TestExplainWithoutRunner(t *testing.T) {
	m := newMesh(t)
	m.runnerd()
	down := member(peerB, "beta", false, true, "edge")
	down.Down = api.DaemonList{api.Runnerd}
	m.peer(down)
	m.seq.After = func(in intent.Signed) {
		m.tell(in, peerA, api.StateRunning, "")
		m.tell(in, peerB, api.StateRunning, "")
	}
	m.want(0, nil, "push", "--name", "web", "--file", m.file, "--replicas", "2", "--wait=false")
	m.want(0, []string{"1 of 2 replicas", "pending   1 of 2 replicas can run: beta: its runnerd is down",
		"beta (…G1aoDd2p), runnerd down  none  -", "      its runnerd is down\n", "realm restart runnerd   # on beta (…G1aoDd2p), where"}, "explain", "web")
	m.want(0, []string{"1 of 2", "down: runnerd (no program runs there)", "1 of 2 replicas can run: beta: its runnerd is down"}, "status")
	m.want(1, []string{"its runnerd is down"}, "scale", "web", "every", "--timeout", "1s")
}

func TestExplainWhatDoesNotRun(t *testing.T) {
	m := newMesh(t)
	r := m.runnerd()
	for _, p := range []api.PeerID{peerA, peerB} {
		r.Tell(p, api.Ref{Kind: api.KindComponent, Name: "web"}, api.Account{Duty: api.DutyNone})
	}
	m.want(1, []string{"wbe: there is no such program"}, "explain", "wbe")
	m.want(0, nil, "push", "--name", "web", "--file", m.file, "--start=false", "--wait=false")
	m.want(1, []string{"wbe: there is no such program: did you mean web?"}, "explain", "wbe")
	m.want(1, []string{"web: there is no such program: did you mean component/web?"}, "explain", "function/web")
	m.want(0, []string{"wanted    stopped", "realm start web   # starts it again"}, "explain", "web")
	m.want(0, nil, "fn", "deploy", "--name", "double", "--wasm", m.file, "--tag", "gpu", "--wait=false")
	m.want(0, []string{"function/double", "no connected node is one that it is for (tag gpu)", "0 of 0 nodes", "realm node set PEER --role gpu"}, "explain", "double")
	m.want(0, nil, "rm", "web", "--wait=false")
	code, out, errs := m.realm("explain", "web")
	if code != 0 || !strings.Contains(out, "wanted    removed") || !strings.Contains(out, "realm rollback web") || strings.Contains(out, "RANK") || strings.Contains(out, "problem") {
		t.Errorf("removed: %d\n%s%s", code, out, errs)
	}
	m.want(2, []string{"--tail 101"}, "explain", "web", "--tail", "101")
}
