package node_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/nodetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// dial is the node under test.
func dial(t *testing.T, h paths.Home) *node.Node {
	t.Helper()
	n, err := node.Dial(nodetest.Context(t), h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

func TestDialWhereNoNodeIsUp(t *testing.T) {
	h := nodetest.Home(t)
	begin := time.Now()
	_, err := node.Dial(nodetest.Context(t), h)
	if !errors.Is(err, node.ErrDown) || !strings.Contains(err.Error(), h.Root()) || !strings.Contains(err.Error(), "realm up") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("it took %v to say so", took)
	}
}

func TestSubmitWaitsForMeshd(t *testing.T) {
	h, _ := nodetest.Bus(t)
	n := dial(t, h)
	short, cancel := context.WithTimeout(nodetest.Context(t), 300*time.Millisecond)
	defer cancel()
	if _, err := n.Submit(short, []byte("x")); err == nil || node.Refused(err) || !strings.Contains(err.Error(), "realm logs meshd") {
		t.Errorf("without meshd: %v", err)
	}
	meshd := nodetest.As(t, h, api.Meshd)
	time.AfterFunc(200*time.Millisecond, func() {
		nodetest.Handle(t, meshd, api.SubjectSubmit, func(b []byte) (any, error) {
			if string(b) == "bad" {
				return nil, errors.New("not signed")
			}
			return api.SubmitReply{Digest: api.Sum(b)}, nil
		})
	})
	if r, err := n.Submit(nodetest.Context(t), []byte("good")); err != nil || r.Digest != api.Sum([]byte("good")) {
		t.Errorf("got %v %v", r, err)
	}
	if _, err := n.Submit(nodetest.Context(t), []byte("bad")); !node.Refused(err) || err.Error() != "not signed" {
		t.Errorf("got %v", err)
	}
}

func newPin(t *testing.T) (trust.Pin, func(api.Intent) intent.Signed) {
	t.Helper()
	key, err := keys.Create(t.TempDir() + "/owner.pem")
	if err != nil {
		t.Fatal(err)
	}
	pin := trust.NewPin(keys.PublicOf(key))
	return pin, func(in api.Intent) intent.Signed {
		in.Realm, in.Issued, in.Tombstone = pin.Realm, time.Unix(1, 0), in.Body == nil
		s, err := intent.Sign(in, key)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

var ref = api.Ref{Kind: api.KindComponent, Name: "web"}

func TestLedger(t *testing.T) {
	h, _ := nodetest.Bus(t)
	n, meshd := dial(t, h), nodetest.As(t, h, api.Meshd)
	pin, sign := newPin(t)
	stranger, signOther := newPin(t)
	read := func(pin trust.Pin) *ledger.Ledger {
		t.Helper()
		l, err := n.Ledger(nodetest.Context(t), pin, ref)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if refs := read(pin).Refs(); len(refs) != 0 {
		t.Errorf("before anything: %v", refs)
	}
	other := api.Ref{Kind: api.KindComponent, Name: "other"}
	want := sign(api.Intent{Ref: ref, Seq: 1})
	for _, in := range []intent.Signed{want, sign(api.Intent{Ref: other, Seq: 1}), signOther(api.Intent{Ref: ref, Seq: 1})} {
		nodetest.Put(t, meshd, api.BucketIntents, api.KeySlot(in.Ref, in.By()), in.Envelope)
	}
	nodetest.Put(t, meshd, api.BucketIntents, api.KeySlot(ref, "nonsense"), []byte("no envelope"))
	got := read(pin)
	if s, ok := got.Current(ref, time.Now()); !ok || s.Digest != want.Digest || fmt.Sprint(got.Refs()) != "[component/web]" {
		t.Errorf("got %v %v", s, got.Refs())
	}
	if l := read(stranger); len(l.History(ref, time.Now())) != 1 {
		t.Errorf("with another pin: %v", l.Refs())
	}
	whole, err := n.WholeLedger(nodetest.Context(t), pin)
	if err != nil || fmt.Sprint(whole.Refs()) != "[component/other component/web]" {
		t.Errorf("all of it: %v %v", whole.Refs(), err)
	}
}

// Pages are asked for until there are no more, whatever their size.
func TestMembers(t *testing.T) {
	h, _ := nodetest.Bus(t)
	n, meshd := dial(t, h), nodetest.As(t, h, api.Meshd)
	m := &nodetest.Meshd{T: t, Conn: meshd, Pin: trust.NewPin(keys.Public{1}), Page: 2}
	m.Serve()
	var want []api.PeerID
	for i := range byte(5) {
		p := keys.Peer(bytes.Repeat([]byte{i + 1}, ed25519.PublicKeySize))
		want = append(want, p)
		m.Knock(api.Member{Peer: p, Standing: api.StandingPending})
	}
	slices.Sort(want)
	got, err := n.Members(nodetest.Context(t))
	var ids []api.PeerID
	for _, v := range got.Members {
		ids = append(ids, v.Peer)
	}
	if err != nil || !slices.Equal(ids, want) {
		t.Errorf("got %v %v, want %v", ids, err, want)
	}
}

const peerA, peerB = api.PeerID("12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"), api.PeerID("12D3KooWNvSZnPi3RrhrTwEY4LuuBeB6K6facKUCJcyWG1aoDd2p")

func fact(p api.PeerID, s api.State) api.WorkloadFact {
	return api.WorkloadFact{Ref: ref, Peer: p, State: s, Seq: 1, Since: time.Unix(1, 0)}
}

// describe is a snapshot in words that can be compared.
func describe(s node.Snapshot) string {
	var out []string
	for _, id := range []api.PeerID{peerA, peerB} {
		if p, ok := s.Peers[id]; ok {
			out = append(out, id.Short()+":"+p.Host)
		}
		for _, r := range []api.Ref{ref, {Kind: api.KindFunction, Name: "web"}} {
			if f, ok := s.Facts[r][id]; ok {
				out = append(out, id.Short()+":"+string(r.Kind)+":"+string(f.State))
			}
		}
	}
	for r, in := range s.Intents {
		out = append(out, r.String()+"@"+in.Issued.UTC().Format("05"))
	}
	return strings.Join(out, " ")
}

func TestWatch(t *testing.T) {
	h, srv := nodetest.Bus(t)
	n, meshd := dial(t, h), nodetest.As(t, h, api.Meshd)
	pin, sign := newPin(t)
	nodetest.Put(t, meshd, api.BucketPeers, string(peerA), api.PeerRecord{PeerFact: api.PeerFact{Peer: peerA, Host: "a"}})
	nodetest.Put(t, meshd, api.BucketWorkloads, api.KeyWorkload(ref, peerA), fact(peerA, api.StateFetching))

	ctx, stop := context.WithCancel(nodetest.Context(t))
	seen := make(chan string, 100)
	ended := make(chan error, 1)
	go func() {
		ended <- n.Watch(ctx, node.Scope{Intents: &pin}, func(s node.Snapshot) error {
			seen <- describe(s)
			return nil
		})
	}()
	expect := func(what, want string) {
		t.Helper()
		last := ""
		for {
			select {
			case last = <-seen:
				if last == want {
					return
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s: saw %q, want %q", what, last, want)
			}
		}
	}
	a, b := peerA.Short(), peerB.Short()
	expect("first", a+":a "+a+":component:fetching")
	nodetest.Put(t, meshd, api.BucketWorkloads, api.KeyWorkload(ref, peerB), fact(peerB, api.StateRunning))
	expect("a new fact", a+":a "+a+":component:fetching "+b+":component:running")
	first := sign(api.Intent{Ref: ref, Seq: 1})
	nodetest.Put(t, meshd, api.BucketIntents, api.KeySlot(ref, first.By()), first.Envelope)
	expect("an intent", a+":a "+a+":component:fetching "+b+":component:running component/web@01")
	nodetest.Put(t, meshd, api.BucketPeers, string(peerB), []byte("not json"))
	nodetest.Put(t, meshd, api.BucketIntents, api.KeySlot(ref, "other"), []byte("no envelope"))
	nodetest.Put(t, meshd, api.BucketPeers, string(peerA), api.PeerRecord{PeerFact: api.PeerFact{Peer: peerA, Host: "a2"}})
	expect("what cannot be read", a+":a2 "+a+":component:fetching "+b+":component:running component/web@01")

	// The buckets in memory are empty after the bus was away; intents are not.
	if err := srv.Restart(nodetest.Context(t)); err != nil {
		t.Fatal(err)
	}
	expect("after a restart of the bus", "component/web@01")
	nodetest.Put(t, meshd, api.BucketPeers, string(peerB), api.PeerRecord{PeerFact: api.PeerFact{Peer: peerB, Host: "b"}})
	expect("a peer after the restart", b+":b component/web@01")
	stop()
	if err := <-ended; err != nil {
		t.Errorf("watch ended with %v", err)
	}
}

func TestLookAtOneWorkload(t *testing.T) {
	h, _ := nodetest.Bus(t)
	n, meshd := dial(t, h), nodetest.As(t, h, api.Meshd)
	other := api.Ref{Kind: api.KindFunction, Name: "web"}
	nodetest.Put(t, meshd, api.BucketWorkloads, api.KeyWorkload(ref, peerA), fact(peerA, api.StateRunning))
	f := fact(peerB, api.StateRunning)
	f.Ref = other
	nodetest.Put(t, meshd, api.BucketWorkloads, api.KeyWorkload(other, peerB), f)
	s, err := n.Look(nodetest.Context(t), node.Scope{Ref: &other})
	if err != nil || describe(s) != peerB.Short()+":function:running" {
		t.Errorf("got %q %v", describe(s), err)
	}
	ctx, cancel := context.WithCancel(nodetest.Context(t))
	cancel()
	if _, err := n.Look(ctx, node.Scope{}); err == nil {
		t.Error("an ended context is no error")
	}
	failed := errors.New("enough")
	if err := n.Watch(nodetest.Context(t), node.Scope{}, func(node.Snapshot) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("watch returned %v", err)
	}
}

func TestFollowLog(t *testing.T) {
	h, _ := nodetest.Bus(t)
	n, runnerd := dial(t, h), nodetest.As(t, h, api.Runnerd)
	ctx, stop := context.WithCancel(nodetest.Context(t))
	var lines []string
	err := n.FollowLog(ctx, api.SubjectLog(ref),
		func() error {
			b, _ := json.Marshal(api.LogLine{Time: time.Unix(1, 0), Stream: "stdout", Line: "tick"})
			return errors.Join(runnerd.Publish(api.SubjectLog(ref), []byte("{}x")), runnerd.Publish(api.SubjectLog(ref), b))
		},
		func(l api.LogLine) {
			lines = append(lines, l.Line)
			stop()
		})
	if err != nil || strings.Join(lines, ",") != "tick" {
		t.Errorf("got %q %v", lines, err)
	}
}

// A watch with a pace tells the last of many changes, and not each of them.
func TestWatchAtAPace(t *testing.T) {
	h, _ := nodetest.Bus(t)
	n, meshd := dial(t, h), nodetest.As(t, h, api.Meshd)
	ctx, stop := context.WithCancel(nodetest.Context(t))
	told := 0
	const changes = 200
	err := n.Watch(ctx, node.Scope{Pace: 50 * time.Millisecond}, func(s node.Snapshot) error {
		if told++; told == 1 {
			go func() {
				for i := range changes {
					nodetest.Put(t, meshd, api.BucketPeers, string(peerA), api.PeerRecord{PeerFact: api.PeerFact{Peer: peerA, Host: strconv.Itoa(i)}})
				}
			}()
		}
		if s.Peers[peerA].Host == strconv.Itoa(changes-1) {
			stop()
		}
		return nil
	})
	if err != nil || ctx.Err() == nil || told >= changes {
		t.Errorf("told %d times of %d changes, %v", told, changes, err)
	}
	failed := errors.New("enough")
	if err := n.Watch(nodetest.Context(t), node.Scope{Pace: time.Hour}, func(node.Snapshot) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("watch returned %v", err)
	}
}

func TestWatchOfSettings(t *testing.T) {
	h, _ := nodetest.Bus(t)
	n, meshd := dial(t, h), nodetest.As(t, h, api.Meshd)
	pin, sign := newPin(t)
	k, err := keys.OfPeer(peerA)
	if err != nil {
		t.Fatal(err)
	}
	about := api.Ref{Kind: api.KindNode, Name: api.KeyName(k.Key())}
	look := func(in api.Intent) map[api.PeerID]api.NodeSettings {
		t.Helper()
		s := sign(in)
		nodetest.Put(t, meshd, api.BucketIntents, api.KeySlot(s.Ref, s.By()), s.Envelope)
		now, err := n.Look(nodetest.Context(t), node.Scope{Intents: &pin, Ref: &ref})
		if err != nil || len(now.Intents) != 0 {
			t.Errorf("%v %v", now.Intents, err)
		}
		return now.Settings
	}
	first := api.Intent{Ref: about, Seq: 1, Body: []byte(`{"drain":true}`)}
	if got := look(first); !got[peerA].Drain || len(got) != 1 {
		t.Errorf("settings %v", got)
	}
	if got := look(api.Intent{Ref: about, Seq: 2, Prev: api.Sum(nil), Tombstone: true}); len(got) != 0 {
		t.Errorf("settings %v after they were taken back", got)
	}
}
