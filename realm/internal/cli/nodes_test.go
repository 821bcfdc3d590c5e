package cli

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// admit makes the members of m that: nodes whose settings can be signed.
func (m *mesh) admit(peers ...api.PeerID) {
	m.t.Helper()
	for _, p := range peers {
		m.want(0, nil, "peers", "admit", string(p))
	}
}

func (m *mesh) settings(p api.PeerID) (s api.NodeSettings, set bool) {
	m.t.Helper()
	k, err := keys.OfPeer(p)
	if err != nil {
		m.t.Fatal(err)
	}
	return m.seq.Ledger().NodeSettings(k, time.Now())
}

func TestNodeSet(t *testing.T) {
	m := newMesh(t)
	m.admit(peerA, peerB)
	m.want(2, []string{"--role ROLE, --no-roles or --reset"}, "node", "set", "beta")
	m.want(2, []string{"--role ROLE, --no-roles or --reset"}, "node", "set", "beta", "--role", "x", "--reset")
	m.want(2, []string{"--role"}, "node", "set", "beta", "--role", "not one")
	m.want(1, []string{`no member "bta": did you mean beta?`}, "node", "set", "bta", "--role", "arm")
	m.want(1, []string{"does not say yet that it has the roles"}, "node", "set", "beta", "--role", "arm", "--role", "gpu", "--timeout", "500ms")
	m.seq.After = func(in intent.Signed) {
		if s, ok := m.settings(peerB); ok {
			m.peer(member(peerB, "beta", false, true, s.Roles...))
		}
	}
	m.want(0, []string{"beta (…G1aoDd2p) has the roles gpu, arm, and no others."}, "node", "set", "beta", "--role", "gpu", "--role", "arm")
	if s, ok := m.settings(peerB); !ok || !slices.Equal(s.Roles, []string{"gpu", "arm"}) {
		t.Errorf("settings %+v %t", s, ok)
	}
	code, out, errs := m.realm("node", "set", peerB.Short(), "--no-roles", "--json")
	var v nodeSettingsView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || v.Peer != peerB || v.Host != "beta" || v.Roles == nil || len(v.Roles) != 0 || v.Was {
		t.Errorf("--json: %d %v %s%s", code, err, out, errs)
	}
	m.want(0, []string{"beta (…G1aoDd2p) has no roles."}, "node", "set", "beta", "--no-roles")
	m.want(0, []string{"roles of its membership"}, "node", "set", string(peerB), "--reset")
	if s, ok := m.settings(peerB); ok {
		t.Errorf("settings %+v after --reset", s)
	}
}

func TestDrain(t *testing.T) {
	m := newMesh(t)
	m.admit(peerA, peerB)
	var running []intent.Signed
	m.seq.After = func(in intent.Signed) { running = append(running, in) }
	m.want(0, nil, "push", "--name", "one", "--file", m.file, "--replicas", "1", "--wait=false")
	m.want(0, nil, "push", "--name", "every", "--file", m.file, "--wait=false")
	one, every := running[0], running[1]
	m.tell(one, peerB, api.StateRunning, "")
	m.tell(every, peerA, api.StateRunning, "")
	m.tell(every, peerB, api.StateRunning, "")
	m.seq.After = func(in intent.Signed) {
		if in.Kind == api.KindNode && !in.Tombstone {
			m.later.Go(func() {
				time.Sleep(1500 * time.Millisecond) // until it was seen that they run
				m.tell(one, peerA, api.StateRunning, "")
				m.tell(one, peerB, api.StateRemoved, "it is drained")
				m.tell(every, peerB, api.StateRemoved, "it is drained")
			})
		}
	}
	m.want(0, []string{"still there: component/every running", "still there: component/one running", "gone: component/one", "beta (…G1aoDd2p) runs nothing any more"}, "node", "drain", "beta")
	if s, ok := m.settings(peerB); !ok || !s.Drain {
		t.Errorf("settings %+v %t", s, ok)
	}
	m.want(0, []string{"beta (…G1aoDd2p) runs nothing any more"}, "node", "drain", "beta")
	m.want(0, []string{"member, drained", "0 of 0", "2 of 2"}, "status")
	m.want(0, []string{"member, drained"}, "peers")
	m.want(0, []string{"beta (…G1aoDd2p) runs programs again."}, "node", "resume", "beta")
	m.want(0, []string{"beta (…G1aoDd2p) is not drained."}, "node", "resume", "beta")
	if s, ok := m.settings(peerB); ok {
		t.Errorf("settings %+v after resume", s)
	}
	m.want(0, []string{"alpha (…4kx6nXTN) is drained from now on."}, "node", "drain", "alpha", "--wait=false")
}

// What nobody else can run stays, and the command says so long before its time is over.
func TestDrainLeavesWhatNobodyElseCanRun(t *testing.T) {
	m := newMesh(t)
	m.admit(peerA, peerB)
	var in intent.Signed
	m.seq.After = func(s intent.Signed) { in = s }
	m.want(0, nil, "push", "--name", "special", "--file", m.file, "--replicas", "1", "--tag", "edge", "--wait=false")
	m.tell(in, peerB, api.StateRunning, "")
	m.seq.After = nil
	code, out, errs := m.realm("node", "drain", "beta", "--json")
	var v nodeSettingsView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 1 || len(v.Left) != 1 || v.Left[0].Name != "special" {
		t.Errorf("%d %v %s%s", code, err, out, errs)
	}
	for _, w := range []string{"beta (…G1aoDd2p) is drained, but not everything has left it:", "component/special running: 0 of 1 replica can run: ", "alpha: it has no tag edge", "beta: it is drained", "realm node resume"} {
		if !strings.Contains(errs, w) {
			t.Errorf("no %q in\n%s", w, errs)
		}
	}
}

// That nothing was seen to run is not to have seen that nothing runs.
func TestDrainThatWasNotSeen(t *testing.T) {
	m := newMesh(t)
	var out strings.Builder
	a := &app{out: &out, err: &out}
	ctx, cancel := context.WithCancelCause(m.context())
	cancel(errInterrupted)
	n := m.dial()
	defer n.Close()
	err := a.awaitDrained(ctx, n, nodeSettingsView{someone: someone{peerB, "beta"}, Drained: true})
	if err == nil || out.Len() > 0 {
		t.Errorf("%v, %q", err, out.String())
	}
}

func TestDrainOfWhatIsAway(t *testing.T) {
	m := newMesh(t)
	m.peer(member(peerC, "gamma", false, false))
	m.admit(peerA, peerC)
	m.want(0, []string{"It is not connected"}, "node", "drain", "gamma")
}

func TestNodeIsTheOwnersAlone(t *testing.T) {
	m := newMesh(t)
	m.admit(peerA, peerB)
	path, key := m.newcomer()
	m.want(0, nil, "grant", key.String(), "--may", "push")
	m.as(path)
	m.want(1, []string{"only the owner can do that"}, "node", "drain", "beta")
}

func TestScaleAndRestart(t *testing.T) {
	m := newMesh(t)
	m.seq.After = func(in intent.Signed) {
		w, err := in.Workload()
		c, ok := w.(*api.Component)
		if err != nil || !ok {
			return
		}
		m.tell(in, peerA, api.StateRunning, "")
		if c.Replicas != 1 {
			m.tell(in, peerB, api.StateRunning, "")
		} else {
			m.tell(in, peerB, api.StateRemoved, "it is number 2 in rank, and 1 run it")
		}
	}
	m.want(0, []string{"component/web runs on 1 node,", "Next: realm explain web"}, "push", "--name", "web", "--file", m.file, "--replicas", "1")
	m.want(0, []string{"component/web: version 2 is accepted", "component/web runs on 2 nodes"}, "scale", "web", "2")
	m.want(0, []string{"nothing to change", "component/web runs on 2 nodes"}, "scale", "web", "2")
	m.want(0, []string{"component/web runs on 2 nodes"}, "scale", "web", "every")
	m.want(1, []string{"2 of 5 replicas run", "pending: 2 of 5 replicas can run: there are no more nodes"}, "scale", "web", "5", "--timeout", "1s")
	m.want(2, []string{`"0" replicas: want 1 to 10000, or every`}, "scale", "web", "0")
	m.want(2, []string{"N is missing"}, "scale", "web")
	m.want(0, []string{"component/web runs on 1 node,"}, "scale", "component/web", "1")
	m.want(0, []string{"component/web runs on 1 node,"}, "restart", "web")
	cur, ok := m.seq.Ledger().Current(api.Ref{Kind: api.KindComponent, Name: "web"}, time.Now())
	w, err := cur.Workload()
	if !ok || err != nil || w.(*api.Component).Restarted.IsZero() || w.(*api.Component).Replicas != 1 {
		t.Errorf("after restart: %+v %v", w, err)
	}
	m.want(0, nil, "fn", "deploy", "--name", "double", "--wasm", m.file, "--wait=false")
	m.want(1, []string{"function/double: a function answers on every member"}, "scale", "double", "2")
	m.want(1, []string{"function/double: a function answers on every member"}, "restart", "double")
	m.want(1, []string{"wbe: there is no such program: did you mean web?", "the daemons here are casd, meshd, runnerd, gatewayd, upgraded"}, "restart", "wbe")
	m.want(0, nil, "stop", "web", "--wait=false")
	m.want(1, []string{"it is stopped: start it with realm start"}, "restart", "web")
}

func TestPushOverAManifest(t *testing.T) {
	m := newMesh(t)
	c := &api.Component{Module: api.Program{Blob: api.Sum([]byte("x")), Size: 1}, Source: api.Source{Manifest: "shop", Version: 4}}
	in, err := m.owner.Act(m.seq.Ledger(), owner.Act{Ref: api.Ref{Kind: api.KindComponent, Name: "web"}, Change: owner.Set(api.Target{}, c)}, time.Now(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	m.seq.Take(in)
	m.want(0, []string{"component/web", "of manifest shop"}, "status")
	m.want(1, []string{"component/web belongs to manifest shop", "--take-over"}, "push", "--name", "web", "--file", m.file, "--wait=false")
	m.want(0, []string{"version 2 is accepted"}, "scale", "web", "1", "--wait=false")
	m.want(0, []string{"version 3 is accepted"}, "push", "--name", "web", "--file", m.file, "--wait=false", "--take-over")
	m.want(0, []string{"version 4 is accepted"}, "push", "--name", "web", "--file", m.file, "--wait=false")
}
