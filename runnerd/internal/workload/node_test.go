package workload

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/engine/enginetest"
	"github.com/realm-mesh/realm/engine/wasmtest"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/runnerd/internal/admit"
	"github.com/realm-mesh/realm/runnerd/internal/logs"
)

var rig enginetest.Rig

func TestMain(m *testing.M) {
	enginetest.Main(m, &rig, func() error { return nil })
}

// node is a set of workloads with an owner, programs that need no fetching, and
// the facts that were told.
type node struct {
	set   *Set
	t     *testing.T
	owner ed25519.PrivateKey
	dir   string
	prev  map[api.Ref]intent.Signed
	stop  func()

	mu     sync.Mutex
	blobs  map[api.Digest][]byte
	broken error               // what loading says, if anything
	fallen map[api.Digest]bool // versions whose signer has lost its say
	facts  []api.WorkloadFact
	told   chan struct{}
	room   admit.Config  // what the node has for workloads
	wait   time.Duration // how long a refusal stands; 0: as long as ever
}

func newNode(t *testing.T, options ...func(*node)) *node {
	_, owner, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	n := &node{t: t, owner: owner, dir: t.TempDir(), prev: map[api.Ref]intent.Signed{}, blobs: map[api.Digest][]byte{}, fallen: map[api.Digest]bool{}, told: make(chan struct{}, 1)}
	for _, o := range options {
		o(n)
	}
	n.begin()
	t.Cleanup(func() { n.stop() })
	return n
}

// begin runs the set, as after a start of the process.
func (n *node) begin() {
	pin := keys.PublicOf(n.owner)
	n.facts = nil
	room := admit.New(n.room)
	n.set = NewSet(Env{
		Self:   keys.Peer(n.owner.Public().(ed25519.PublicKey)),
		Loader: n, Facts: n, Restart: func(api.Ref) {}, Log: slog.New(slog.DiscardHandler),
		Admit: room, Folders: n.folders(room),
		Logs: func(r api.Ref) *logs.Log {
			return logs.Open(r, filepath.Join(n.dir, string(r.Name)+".log"), func(api.Ref, api.LogLine) {}, slog.New(slog.DiscardHandler))
		},
		Stands: n.stands,
		Kept: &Kept{
			Path: func(r api.Ref) string { return filepath.Join(n.dir, "good", string(r.Name)) },
			Open: func(b []byte) (intent.Signed, error) {
				s, err := intent.Read(b)
				if err == nil && (s.Signer != pin || !n.stands(s)) {
					err = errors.New("its signer has lost its say")
				}
				return s, err
			},
		},
	})
	if n.wait > 0 {
		n.set.refused = n.wait
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.set.Run(ctx) }()
	n.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			n.t.Error(err)
		}
		n.stop = func() {}
	}
}

func (n *node) Load(_ context.Context, p api.Program, stage func(api.State)) (*engine.Module, error) {
	stage(api.StateCompiling)
	n.mu.Lock()
	wasm, broken := n.blobs[p.Blob], n.broken
	n.mu.Unlock()
	if broken != nil {
		return nil, broken
	}
	if wasm == nil {
		return nil, errors.New("no peer has it")
	}
	return rig.Ready(n.t, wasm, api.DefaultMemoryMB), nil
}

// breakLoading has loading fail from now on; nil mends it.
func (n *node) breakLoading(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.broken = err
}

// fell has the signer of a version lose its say.
func (n *node) fell(s intent.Signed) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fallen[s.Digest] = true
}

func (n *node) stands(s intent.Signed) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.fallen[s.Digest]
}

// Set implements [Facts].
func (n *node) Set(f api.WorkloadFact) {
	if err := f.Validate(); err != nil {
		n.t.Error(err)
	}
	n.mu.Lock()
	n.facts = append(n.facts, f)
	n.mu.Unlock()
	select {
	case n.told <- struct{}{}:
	default:
	}
}

func (n *node) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.facts)
}

func (n *node) last() api.WorkloadFact {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.facts) == 0 {
		return api.WorkloadFact{}
	}
	return n.facts[len(n.facts)-1]
}

// await waits until the last fact is state, of version seq.
func (n *node) await(seq uint64, state api.State) api.WorkloadFact {
	n.t.Helper()
	late := time.After(20 * time.Second)
	for {
		if f := n.last(); f.Seq == seq && f.State == state {
			return f
		}
		select {
		case <-n.told:
		case <-late:
			n.t.Fatalf("no %s of version %d, but %s, of %d: %s", state, seq, states(n.since(0)), n.last().Seq, n.last().Reason)
		}
	}
}

// sign makes the next version of a workload; nil is its tombstone.
func (n *node) sign(ref api.Ref, w api.Workload) intent.Signed {
	n.t.Helper()
	last := n.prev[ref]
	in := api.Intent{Realm: api.NewRealmID(n.owner.Public().(ed25519.PublicKey)), Ref: ref, Seq: last.Seq + 1, Prev: last.Digest, Issued: time.Now(), Tombstone: w == nil}
	if w != nil {
		b, err := json.Marshal(w)
		if err != nil {
			n.t.Fatal(err)
		}
		in.Body = b
	}
	s, err := intent.Sign(in, n.owner)
	if err != nil {
		n.t.Fatal(err)
	}
	n.prev[ref] = s
	return s
}

func (n *node) apply(w Want) {
	n.t.Helper()
	if err := n.set.Apply(n.t.Context(), w); err != nil {
		n.t.Fatal(err)
	}
}

// push signs the next version and applies it.
func (n *node) push(ref api.Ref, w api.Workload) {
	n.t.Helper()
	n.apply(Want{Signed: n.sign(ref, w), Duty: api.DutyRun, News: true})
}

// owe applies the newest version of a workload with a duty.
func (n *node) owe(ref api.Ref, duty api.Duty, why string) {
	n.t.Helper()
	n.apply(Want{Signed: n.prev[ref], Duty: duty, Why: why})
}

// again ends the process and begins anew.
func (n *node) again() {
	n.stop()
	n.begin()
}

// since returns the facts that were told after the first count.
func (n *node) since(count int) []api.WorkloadFact {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.facts[count:])
}

// states are those of facts, each with the version that serves meanwhile.
func states(facts []api.WorkloadFact) string {
	var out []string
	for _, f := range facts {
		s := string(f.State)
		if f.Serving != 0 {
			s += fmt.Sprint("/", f.Serving)
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// log is all that a workload has written.
func (n *node) log(ref api.Ref) string {
	n.t.Helper()
	b, err := os.ReadFile(filepath.Join(n.dir, string(ref.Name)+".log"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		n.t.Fatal(err)
	}
	return string(b)
}

// program puts a module where Load finds it.
func (n *node) program(wasm []byte) api.Program {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := api.Program{Blob: api.Sum(wasm), Size: int64(len(wasm))}
	n.blobs[p.Blob] = wasm
	return p
}

func (n *node) command(steps ...wasmtest.Step) *api.Component {
	return &api.Component{Module: n.program(wasmtest.Script(steps...))}
}

var (
	worker = api.Ref{Kind: api.KindComponent, Name: "worker"}
	fn     = api.Ref{Kind: api.KindFunction, Name: "answer"}
)

// constant is a function that returns v.
func (n *node) constant(v byte) *api.Function {
	f := wasmtest.Func{Export: "answer", Results: []byte{wasmtest.I32}, Code: []byte{0x41, v}}
	return &api.Function{Module: n.program(wasmtest.Functions(f))}
}

func (n *node) call() (string, error) {
	f, release, err := n.set.Function(fn.Name)
	if err != nil {
		return "", err
	}
	defer release()
	b, err := f.Call(n.t.Context(), nil)
	return string(b), err
}

// version is what is here of a workload.
func (n *node) version(ref api.Ref) *version {
	n.set.mu.RLock()
	a := n.set.actors[ref]
	n.set.mu.RUnlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.current
}

// until waits until ok is true.
func (n *node) until(what string, ok func() bool) {
	n.t.Helper()
	for late := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(late) {
			n.t.Fatalf("not so: %s; %s, of %d: %s", what, states(n.since(0)), n.last().Seq, n.last().Reason)
		}
	}
}
