package reconcile

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/placement"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/internal/kit/wanted"
	"github.com/realm-mesh/realm/runnerd/internal/workload"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var t0 = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// key is the private key number n: 0 is the owner's.
func key(n int) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0], seed[1] = byte(n), byte(n>>8)
	return ed25519.NewKeyFromSeed(seed)
}

func nameOf(k ed25519.PrivateKey) api.Name { return api.KeyName(keys.PublicOf(k).Key()) }

func peer(n int) api.PeerID { return keys.Peer(keys.PublicOf(key(n)).Key()) }

var (
	owner = key(0)
	pin   = trust.NewPin(keys.PublicOf(owner))

	double = api.Ref{Kind: api.KindFunction, Name: "double"}
	triple = api.Ref{Kind: api.KindFunction, Name: "triple"}
	web    = api.Ref{Kind: api.KindComponent, Name: "web"}
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sign makes an intent by k; a nil body is a tombstone.
func sign(t testing.TB, k ed25519.PrivateKey, ref api.Ref, seq uint64, body any, change ...func(*api.Intent)) intent.Signed {
	t.Helper()
	in := api.Intent{Realm: pin.Realm, Ref: ref, Seq: seq, Issued: t0, Tombstone: body == nil}
	if seq > 1 {
		in.Prev = api.Sum([]byte("before"))
	}
	if body != nil {
		b, err := json.Marshal(body)
		check(t, err)
		in.Body = b
	}
	for _, c := range change {
		c(&in)
	}
	s, err := intent.Sign(in, k)
	check(t, err)
	return s
}

func program(v byte) api.Program { return api.Program{Blob: api.Sum([]byte{v}), Size: 1} }

func function(v byte) *api.Function { return &api.Function{Module: program(v)} }

// component is a command in version v with so many replicas.
func component(v byte, replicas int) *api.Component {
	return &api.Component{Module: program(v), Replicas: replicas}
}

func tags(l ...string) func(*api.Intent) {
	return func(in *api.Intent) { in.Target.Tags = l }
}

// applied is what a reconciler has had applied.
type applied struct {
	mu    sync.Mutex
	wants map[api.Ref]workload.Want
	count int
}

func (a *applied) apply(_ context.Context, w workload.Want) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wants[w.Ref] = w
	a.count++
	return nil
}

func (a *applied) duty(ref api.Ref) api.Duty {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.wants[ref].Duty
}

func (a *applied) want(ref api.Ref) workload.Want {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.wants[ref]
}

// noMarks keep nothing.
type noMarks struct{}

func (noMarks) At(intent.Slot) intent.Version                   { return intent.Version{} }
func (noMarks) AdvanceAll(map[intent.Slot]intent.Version) error { return nil }

// node is a Reconciler over a Book, inside of a bubble of synctest.
type node struct {
	*testing.T
	applied
	rec    *Reconciler
	book   *wanted.Book
	bucket map[string][]byte
	roles  []string
	kept   map[api.Ref]bool
	held   map[api.Name][]api.PeerID
	stop   func()
}

// self is the number of the node's own key.
const self = 1

// withNode runs test with a node that knows that there is nothing.
func withNode(t *testing.T, test func(*node)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := newNodeIn(t)
		test(n)
		n.stop()
	})
}

// newNodeIn makes a node inside of a bubble, which knows that there is nothing.
func newNodeIn(t *testing.T) *node {
	t.Helper()
	n := &node{T: t, bucket: map[string][]byte{}, kept: map[api.Ref]bool{}}
	n.start()
	n.known()
	return n
}

// start makes the Reconciler of a process that has just begun.
func (n *node) start() {
	n.Helper()
	n.wants = map[api.Ref]workload.Want{}
	n.book = wanted.New(wanted.Config{Pin: func() (trust.Pin, error) { return pin, nil }, Marks: noMarks{},
		Now: func() time.Time { return t0 }, Log: discard})
	n.rec = New(Config{Self: peer(self), Roles: n.roles, Capacity: api.Capacity{CPUs: 1}, Realm: n.book,
		Kept: func(r api.Ref) bool { return n.kept[r] }, Holders: func(v api.Name) []api.PeerID { return n.held[v] }, Apply: n.apply, Now: time.Now})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	rec := n.rec
	go func() { ended <- rec.Run(ctx) }()
	n.stop = func() {
		cancel()
		check(n, <-ended)
	}
}

// restart starts anew with what the buckets hold.
func (n *node) restart() {
	n.Helper()
	n.stop()
	n.start()
	for k, v := range n.bucket {
		n.take([]wanted.Shown{{Key: k, Envelope: v}}, true)
	}
	n.take(nil, false)
	n.known()
}

// known has the node have seen all that there is.
func (n *node) known() {
	n.Helper()
	for _, src := range []Source{Records, Facts, Intents} {
		if src != Intents {
			n.rec.Begin(src)
		}
		n.rec.End(src)
	}
	n.settle()
}

func (n *node) settle() {
	time.Sleep(2 * burst)
	synctest.Wait()
}

func (n *node) take(batch []wanted.Shown, more bool) {
	n.Helper()
	c, err := n.book.Take(batch, more)
	check(n, err)
	n.rec.Wanted(c)
}

func (n *node) show(all ...intent.Signed) {
	n.Helper()
	var batch []wanted.Shown
	for _, s := range all {
		n.bucket[s.Slot().Key()] = s.Envelope
		batch = append(batch, wanted.Shown{Key: s.Slot().Key(), Envelope: s.Envelope})
	}
	n.take(batch, false)
	n.settle()
}

func (n *node) isDuty(step string, ref api.Ref, want api.Duty) {
	n.Helper()
	if got := n.duty(ref); got != want {
		n.Errorf("%s: %s: %q, want %q (%s)", step, ref, got, want, n.want(ref).Why)
	}
}

// isGivenUp checks that what runs here goes on for a moment, and no longer.
func (n *node) isGivenUp(step string, ref api.Ref) {
	n.Helper()
	n.isDuty(step+", just now", ref, api.DutyKeep)
	time.Sleep(placement.Pause)
	synctest.Wait()
	n.isDuty(step, ref, api.DutyNone)
}

// say has member p say of the workload of s that it is in state at.
func (n *node) say(p int, s intent.Signed, at api.State, change ...func(*api.WorkloadFact)) {
	n.Helper()
	f := api.WorkloadFact{Ref: s.Ref, Peer: peer(p), Intent: s.Digest, Seq: s.Seq, State: at}
	for _, c := range change {
		c(&f)
	}
	if p == self {
		n.rec.Own(f)
	} else {
		n.rec.Fact(f)
	}
	n.settle()
}

func serving(seq uint64) func(*api.WorkloadFact) {
	return func(f *api.WorkloadFact) { f.Serving = seq }
}

// hear has the node hear of members, which are up.
func (n *node) hear(all ...int) {
	for _, p := range all {
		n.rec.Record(api.PeerRecord{PeerFact: api.PeerFact{Peer: peer(p), Host: "host", Capacity: api.Capacity{CPUs: 1}}, Live: true})
	}
	n.settle()
}

// memberOf makes p a member.
func memberOf(t testing.TB, p int, roles ...string) intent.Signed {
	t.Helper()
	return sign(t, owner, api.Ref{Kind: api.KindMember, Name: nameOf(key(p))}, 1, api.Membership{Roles: roles})
}
