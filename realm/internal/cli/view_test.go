package cli

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/realm/internal/node"
)

const (
	peerA = api.PeerID("12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN")
	peerB = api.PeerID("12D3KooWNvSZnPi3RrhrTwEY4LuuBeB6K6facKUCJcyWG1aoDd2p")
	peerC = api.PeerID("12D3KooWKRyzVWW6ChFjQjK4miCty85Niy48tpPV95XdKu1BcvMA")
)

func member(id api.PeerID, host string, self, connected bool, roles ...string) api.PeerRecord {
	return api.PeerRecord{PeerFact: api.PeerFact{Peer: id, Host: host, Roles: roles, Platform: "linux/amd64", Version: "v1"}, Self: self, Connected: connected, Live: connected}
}

// view is what runs in a realm of three members, one of them gone.
func view(t *testing.T) []workloadView {
	t.Helper()
	body := func(w api.Workload) json.RawMessage {
		b, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	program := api.Program{Blob: api.Sum([]byte("x")), Size: 2048}
	component := func(name string) api.Ref { return api.Ref{Kind: api.KindComponent, Name: api.Name(name)} }
	double := api.Ref{Kind: api.KindFunction, Name: "double"}
	at := func(in api.Intent, d byte) intent.Signed { return intent.Signed{Intent: in, Digest: api.Digest{d}} }
	fact := func(d byte, seq uint64, s api.State, reason string, restarts int) api.WorkloadFact {
		return api.WorkloadFact{Intent: api.Digest{d}, Seq: seq, State: s, Reason: reason, Restarts: restarts}
	}
	s := node.Snapshot{
		Peers: map[api.PeerID]api.PeerRecord{peerA: member(peerA, "alpha", true, true), peerB: member(peerB, "beta", false, true, "edge"), peerC: member(peerC, "gamma", false, false)},
		Intents: map[api.Ref]intent.Signed{
			double:            at(api.Intent{Ref: double, Seq: 2, Body: body(&api.Function{Module: program})}, 1),
			component("web"):  at(api.Intent{Ref: component("web"), Seq: 1, Target: api.Target{Tags: []string{"edge"}}, Body: body(&api.Component{Module: program, Interface: api.InterfaceCGI})}, 2),
			component("off"):  at(api.Intent{Ref: component("off"), Seq: 3, Body: body(&api.Component{Module: program, Stopped: true})}, 3),
			component("gone"): at(api.Intent{Ref: component("gone"), Seq: 4, Tombstone: true}, 4),
			component("lost"): at(api.Intent{Ref: component("lost"), Seq: 1, Target: api.Target{Tags: []string{"gpu"}}, Body: body(&api.Component{Module: program})}, 5),
		},
		Facts: map[api.Ref]map[api.PeerID]api.WorkloadFact{
			double:           {peerA: fact(1, 2, api.StateRunning, "", 0), peerB: fact(9, 1, api.StateRunning, "", 0)},
			component("web"): {peerB: fact(2, 1, api.StateBackoff, "exit code 2", 4)},
			component("off"): {peerA: fact(3, 3, api.StateStopped, "", 0)},
		},
	}
	return viewWorkloads(s)
}

func TestViewWorkloads(t *testing.T) {
	all := view(t)
	var got []string
	for _, w := range all {
		row := []string{w.String()}
		for _, m := range w.Members {
			row = append(row, m.Host+"="+m.State)
		}
		got = append(got, strings.Join(row, " ")+" "+string(rune('0'+w.Updated))+"/"+string(rune('0'+w.Desired)))
	}
	want := []string{
		"component/lost 0/0",
		"component/off alpha=stopped beta=unknown 0/0",
		"component/web beta=backoff 0/1",
		"function/double alpha=running beta=running 1/2",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{`"kind":"function"`, `"name":"double"`, `"members":[{"peer":`, `"state":"running"`} {
		if !strings.Contains(string(b), key) {
			t.Errorf("no %s in %s", key, b)
		}
	}
}

func TestPrintStatus(t *testing.T) {
	var out bytes.Buffer
	a := &app{out: &out}
	a.printStatus(statusView{
		Node: nodeView{Home: "/h", Peer: peerA, Host: "alpha", Addrs: []string{"/ip4/1", "/ip4/2"}}, Owner: "ed25519:x", Realm: "r",
		Daemons:   []api.DaemonStatus{{Daemon: api.Casd, State: api.DaemonReady}, {Daemon: api.Meshd, State: api.DaemonBackoff, Reason: "exit\ncode 1"}},
		Members:   []api.Member{{Peer: peerA, Standing: api.StandingMember}, {Peer: peerB, Standing: api.StandingMember}, {Peer: peerC, Standing: api.StandingRevoked}},
		Peers:     []api.PeerRecord{member(peerA, "alpha", true, true), member(peerB, "beta", false, true, "edge"), member(peerC, "", false, false)},
		Workloads: view(t), Problems: []string{"something"},
	}, time.Unix(1, 0))
	for _, want := range []string{
		`node     alpha  12D3`, `address  /ip4/1\n         /ip4/2\n`, `daemons  1 of 2 ready; meshd backoff: exit code 1`, `problem  something`,
		`alpha +…4kx6nXTN +member +this node`, `beta +…G1aoDd2p +member +for - .* edge`, `- +…Ku1BcvMA +revoked +gone for`,
		`component/lost +1 +0 of 0 +2.0 KiB +for tag gpu; no connected node is one that it is for`,
		`component/off +3 +stopped`,
		`component/web +1 +0 of 1 +2.0 KiB +cgi; for tag edge\n +beta \(…G1aoDd2p\) +backoff: exit code 2 \(started again 4 times\)`,
		`function/double +2 +1 of 2 .*\n +beta \(…G1aoDd2p\) +still at version 1: running`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "gone\n") || strings.Contains(out.String(), "component/gone") {
		t.Errorf("lists what was removed:\n%s", out.String())
	}
}

func TestRedrawOnlyWhatChanged(t *testing.T) {
	var out bytes.Buffer
	a := &app{out: &out, json: true}
	v := statusView{}
	last, err := a.redraw(v, "")
	if err != nil || strings.Count(out.String(), "\n") != 1 {
		t.Fatalf("want a line of JSON, got %q, %v", out.String(), err)
	}
	size := out.Len()
	if last, err = a.redraw(v, last); err != nil || out.Len() != size {
		t.Errorf("drew the same again (%v)", err)
	}
	v.Owner = "x"
	if _, err = a.redraw(v, last); err != nil || out.Len() == size {
		t.Errorf("did not draw the change (%v)", err)
	}
}
