package cli

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/nodetest"
	"github.com/realm-mesh/realm/realm/internal/owner"
	"github.com/realm-mesh/realm/realm/internal/rollout"
)

// mesh plays the daemons of a node with one more member, beta, over the real bus.
type mesh struct {
	t    testing.TB
	home paths.Home
	conn *bus.Conn // as meshd
	seq  *nodetest.Meshd
	file string // a program

	store *nodetest.Casd
	meshd *http.ServeMux // what is asked on meshd's socket

	owner   owner.Signer
	account string         // where the owner's key lies
	later   sync.WaitGroup // what is told in the background
}

// newMesh makes one; change is called before casd serves.
func newMesh(t testing.TB, change ...func(casd *nodetest.Casd)) *mesh {
	t.Helper()
	h, _ := nodetest.Bus(t)
	t.Setenv(paths.EnvOwnerKey, filepath.Join(t.TempDir(), "owner.pem"))
	key, err := owner.Create()
	if err != nil {
		t.Fatal(err)
	}
	pin := trust.NewPin(key.Public())
	if err := pin.Write(h.Pin()); err != nil {
		t.Fatal(err)
	}
	m := &mesh{t: t, home: h, owner: owner.Signer{Key: key, Realm: pin.Realm}, account: key.Path, conn: nodetest.As(t, h, api.Meshd), file: filepath.Join(t.TempDir(), "prog.wasm")}
	if err := os.WriteFile(m.file, wasmtest.Nothing(), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Create(h.NodeKey()); err != nil {
		t.Fatal(err)
	}
	m.seq = &nodetest.Meshd{T: t, Conn: m.conn, Pin: pin, Status: api.MeshStatus{Peer: peerA, Realm: pin.Realm, Owner: pin.Owner.String(), Standing: api.StandingMember}}
	m.seq.Serve()
	m.peer(member(peerA, "alpha", true, true))
	m.peer(member(peerB, "beta", false, true, "edge"))
	m.store = &nodetest.Casd{T: t, Home: h}
	for _, fn := range change {
		fn(m.store)
	}
	m.store.Serve()
	m.meshd = http.NewServeMux()
	m.seq.Answer(m.meshd)
	nodetest.HTTP(t, h, api.Meshd, m.meshd)
	nodetest.Handle(t, nodetest.As(t, h, api.Launcher), api.SubjectPS, func([]byte) (any, error) {
		return api.PSReply{Home: h.Root(), PID: 1, Daemons: []api.DaemonStatus{{Daemon: api.Gatewayd, State: api.DaemonReady, Note: "programs at there"}}}, nil
	})
	t.Cleanup(m.later.Wait)
	return m
}

func (m *mesh) peer(p api.PeerRecord) {
	nodetest.Put(m.t, m.conn, api.BucketPeers, string(p.Peer), p)
}

// tell says how a version stands on a member.
func (m *mesh) tell(in intent.Signed, p api.PeerID, s api.State, reason string, tail ...string) {
	m.fact(api.WorkloadFact{Ref: in.Ref, Peer: p, Intent: in.Digest, Seq: in.Seq, State: s, Reason: reason, Tail: tail, Since: time.Now()})
}

func (m *mesh) fact(f api.WorkloadFact) {
	nodetest.Put(m.t, m.conn, api.BucketWorkloads, api.KeyWorkload(f.Ref, f.Peer), f)
}

// realm runs a command on the node.
func (m *mesh) realm(args ...string) (code int, stdout, stderr string) {
	m.t.Helper()
	var out, errs bytes.Buffer
	code = Main(append([]string{"--home", m.home.Root(), "--timeout", "20s"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

// want runs a command and looks for these words in what it prints.
func (m *mesh) want(code int, words []string, args ...string) {
	m.t.Helper()
	got, out, errs := m.realm(args...)
	if got != code {
		m.t.Errorf("realm %v: exit code %d, want %d\n%s%s", args, got, code, out, errs)
	}
	for _, w := range words {
		if !strings.Contains(out+errs, w) {
			m.t.Errorf("realm %v: no %q in\n%s%s", args, w, out, errs)
		}
	}
}

func TestPush(t *testing.T) {
	m := newMesh(t)
	m.seq.After = func(in intent.Signed) {
		m.tell(in, peerA, api.StateFetching, "")
		m.tell(in, peerB, api.StateRunning, "")
		m.later.Go(func() {
			time.Sleep(100 * time.Millisecond)
			m.tell(in, peerA, api.StateRunning, "")
		})
	}
	m.want(0, []string{"prog.wasm: 95 B, sha256 ", "component/web: version 1 is accepted", "alpha (…", "fetching", "running", "component/web runs on 2 nodes"},
		"push", "--name", "web", "--file", m.file, "--env", "A=B=C", "--arg", "x")
	m.want(0, []string{"version 2 is accepted", "Next: open /web/ on this node (programs at there)"}, "push", "--name", "web", "--file", m.file, "--http", "cgi")
	m.want(0, []string{"function/double runs on 1 node,", "Next: realm fn exec double"}, "fn", "deploy", "--name", "double", "--wasm", m.file, "--tag", "edge")
	m.want(0, []string{"function/double", "1 of 1", "for tag edge"}, "fn", "list")

	code, out, _ := m.realm("push", "--name", "web", "--file", m.file, "--json")
	var r resultView
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || !r.Reached || r.Version != 3 || len(r.Members) != 2 || r.Members[0].State != "running" {
		t.Errorf("--json: %d %v %s", code, err, out)
	}
	code, out, _ = m.realm("push", "--name", "web", "--file", m.file, "--json", "--wait=false")
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 || r.Reached || r.Version != 4 {
		t.Errorf("--wait=false: %d %v %s", code, err, out)
	}
}

// A push ends when enough members keep the program, or says which do not.
func TestPushWaitsForCopies(t *testing.T) {
	m := newMesh(t)
	m.seq.After = m.obey
	m.peer(member(peerC, "gamma", false, false))
	var looks atomic.Int32
	m.store.Copies = func(d api.Digest) api.BlobCopies {
		if looks.Add(1) < 4 {
			return on(d, []api.PeerID{peerA}, []api.PeerID{peerB, peerC}, nil)
		}
		return on(d, []api.PeerID{peerA, peerB, peerC}, nil, nil)
	}
	m.want(0, []string{" s  kept on 1 of 3 members: alpha; on its way to beta, gamma\n", " s  kept on 3 of 3 members: alpha, beta, gamma\n", "component/web runs on 2 nodes"}, "push", "--name", "web", "--file", m.file)
	looks.Store(0)
	m.want(0, []string{"runs on 2 nodes"}, "push", "--name", "web", "--file", m.file, "--durability", "1")
	m.want(0, []string{"is accepted"}, "push", "--name", "web", "--file", m.file, "--wait=false")
	m.want(0, []string{"is stopped"}, "stop", "web")
	if n := looks.Load(); n != 0 {
		t.Errorf("it was asked %d times who has it", n)
	}
	m.store.Copies = func(d api.Digest) api.BlobCopies { return on(d, []api.PeerID{peerA, peerB}, nil, []api.PeerID{peerC}) }
	m.want(0, []string{"kept on 2 of 3 members: alpha, beta"}, "push", "--name", "web", "--file", m.file, "--durability", "2")
	code, out, errs := m.realm("push", "--name", "web", "--file", m.file, "--timeout", "3s", "--json")
	var r resultView
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 1 || !r.Reached || r.Copies == nil || r.Copies.Want != 3 || len(r.Copies.Have) != 2 || r.Copies.Away[0].Host != "gamma" {
		t.Errorf("--json: %d %v %s%s", code, err, out, errs)
	}
	var told struct{ Error string }
	const want = "it took longer than 3s (--timeout): component/web runs on 2 nodes, but its program is kept on 2 of 3 members: alpha, beta\n  no answer from gamma\nThe members go on with it by themselves: see realm explain component/web."
	if err := json.Unmarshal([]byte(errs), &told); err != nil || !strings.HasPrefix(told.Error, want) {
		t.Errorf("%v %q", err, told.Error)
	}
	for _, n := range []string{"0", "4", "-1"} {
		m.want(2, []string{"--durability " + n + ": want 1 to 3"}, "push", "--name", "web", "--file", m.file, "--durability", n)
	}
}

func TestStopStartRemove(t *testing.T) {
	m := newMesh(t)
	m.seq.After = func(in intent.Signed) {
		want, err := rollout.WantedOf(in)
		if err != nil {
			t.Error(err)
		}
		s := []api.State{api.StateRunning, api.StateStopped, api.StateRemoved}[want.Goal]
		m.tell(in, peerA, s, "")
		m.tell(in, peerB, s, "")
	}
	m.want(1, []string{"there is no such program", "realm status"}, "stop", "web")
	m.want(0, []string{"component/web is stopped on 2 nodes"}, "push", "--name", "web", "--file", m.file, "--start=false")
	m.want(0, []string{"component/web runs on 2 nodes"}, "start", "web")
	m.want(0, []string{"nothing to change", "component/web runs"}, "start", "component/web")
	m.want(0, []string{"component/web is stopped on 2 nodes"}, "stop", "web")
	m.want(0, []string{"component/web is removed on 2 nodes"}, "rm", "web")
	m.want(0, []string{"nothing to change", "is removed"}, "rm", "web")
	m.want(1, []string{"there is no such program"}, "start", "web")
	m.want(1, []string{"there is no such program"}, "fn", "rm", "web")
}

func TestNameOfBothKinds(t *testing.T) {
	m := newMesh(t)
	for _, args := range [][]string{{"push", "--file"}, {"fn", "deploy", "--wasm"}} {
		m.want(0, nil, append(args, m.file, "--name", "both", "--wait=false")...)
	}
	m.want(1, []string{"both is a component and a function", "component/both or function/both"}, "stop", "both")
}

func TestPushFails(t *testing.T) {
	m := newMesh(t)
	m.seq.After = func(in intent.Signed) {
		m.tell(in, peerA, api.StateRunning, "")
		m.tell(in, peerB, api.StateFailed, "exit code 2", "panic: \x1b[2Jno luck")
	}
	m.want(1, []string{"component/web failed", "beta (…", "failed: exit code 2", "| panic: [2Jno luck", "realm logs web"},
		"push", "--name", "web", "--file", m.file)
	code, out, errs := m.realm("push", "--name", "web", "--file", m.file, "--json")
	var r resultView
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 1 || r.Reached || r.Members[1].Reason != "exit code 2" || !strings.HasPrefix(errs, `{"error":`) {
		t.Errorf("--json: %d %v %s%s", code, err, out, errs)
	}
}

// What a member calls itself must not steer the terminal of who reads it.
func TestHostsSteerNothing(t *testing.T) {
	m := newMesh(t)
	m.admit(peerA, peerB)
	m.peer(member(peerB, "be\x1b[2Jta\t\nrealm: all is well", false, true))
	m.seq.After = func(in intent.Signed) {
		m.tell(in, peerA, api.StateRunning, "")
		m.tell(in, peerB, api.StateFailed, "exit code 2")
	}
	for _, args := range [][]string{
		{"push", "--name", "web", "--file", m.file}, {"status"}, {"peers"}, {"explain", "web"},
		{"node", "set", "alphx", "--role", "edge"}, {"node", "set", "be[2Jta", "--role", "edge"}, {"node", "drain", peerB.Short(), "--wait=false"},
	} {
		_, out, errs := m.realm(args...)
		if text := out + errs; strings.Contains(text, "\x1b") || strings.Contains(text, "\nrealm: all is well") {
			t.Errorf("realm %v: %q", args, text)
		}
	}
}

// The same program again is no reason to start it anew, nor is that somebody had it
// started anew before.
func TestPushAfterARestart(t *testing.T) {
	m := newMesh(t)
	push := []string{"push", "--name", "web", "--file", m.file, "--wait=false"}
	m.want(0, nil, push...)
	m.want(0, nil, "restart", "web", "--wait=false")
	instance := func() api.Digest {
		cur, _ := m.seq.Ledger().Current(api.Ref{Kind: api.KindComponent, Name: "web"}, time.Now())
		w, err := cur.Workload()
		if err != nil {
			t.Fatal(err)
		}
		return w.Instance()
	}
	was := instance()
	m.want(0, []string{"version 3 is accepted"}, push...)
	if instance() != was {
		t.Error("it is started anew")
	}
	m.want(0, nil, append(push, "--arg", "x")...)
	if instance() == was {
		t.Error("it goes on with other arguments")
	}
}

func TestPushTakesTooLong(t *testing.T) {
	m := newMesh(t)
	m.seq.After = func(in intent.Signed) {
		m.tell(in, peerA, api.StateRunning, "")
		m.tell(in, peerB, api.StateFetching, "from alpha")
	}
	m.want(1, []string{"it took longer than 1s (--timeout)", "version 1 of component/web is accepted, but it does not run everywhere yet", "beta (…", "fetching: from alpha", "realm status"},
		"push", "--name", "web", "--file", m.file, "--timeout", "1s")
	m.want(1, []string{"no connected node is one that it is for (tag gpu)"},
		"push", "--name", "web", "--file", m.file, "--timeout", "1s", "--tag", "gpu")
	for _, none := range []string{"0", "-1s"} {
		m.want(2, []string{"want more than nothing, such as 30s"}, "status", "--timeout", none)
	}
}

func TestPushWithoutRight(t *testing.T) {
	m := newMesh(t)
	mine := os.Getenv(paths.EnvOwnerKey)
	t.Setenv(paths.EnvOwnerKey, filepath.Join(t.TempDir(), "none.pem"))
	m.want(1, []string{"this account has no owner key", "realm init"}, "push", "--name", "web", "--file", m.file)
	m.want(0, nil, "init")
	m.want(1, []string{"this node belongs to another owner", paths.EnvOwnerKey}, "push", "--name", "web", "--file", m.file)
	t.Setenv(paths.EnvOwnerKey, mine)
	if err := os.Remove(m.home.Pin()); err != nil {
		t.Fatal(err)
	}
	m.want(1, []string{"realm down, then realm up"}, "push", "--name", "web", "--file", m.file)
}
