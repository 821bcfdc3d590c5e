package intents_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/intents"
	"github.com/realm-mesh/realm/meshd/internal/intents/storetest"
)

func TestMemoryStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) intents.Store { return storetest.NewMemory() })
}

// world is a ledger with all that it stands on.
type world struct {
	owner ed25519.PrivateKey
	pin   trust.Pin
	store *storetest.Memory
	marks *trust.Marks
	path  string
	full  error
}

func newWorld(t *testing.T) *world {
	t.Helper()
	_, owner, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{owner: owner, pin: trust.NewPin(keys.PublicOf(owner)), store: storetest.NewMemory(), path: filepath.Join(t.TempDir(), "marks.log")}
	w.openMarks(t)
	return w
}

func (w *world) openMarks(t *testing.T) {
	t.Helper()
	var err error
	if w.marks, err = trust.OpenMarks(w.path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.marks.Close() })
}

func (w *world) open(t *testing.T) *intents.Ledger {
	t.Helper()
	l, err := intents.Open(t.Context(), intents.Config{Pin: w.pin, Store: w.store, Marks: w.marks,
		Room: func(int64) error { return w.full }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// sign makes an intent; arg makes equal numbers differ.
func (w *world) sign(t *testing.T, name string, seq uint64, arg string) intent.Signed {
	t.Helper()
	return sign(t, w.owner, w.pin.Realm, name, seq, arg)
}

func sign(t *testing.T, key ed25519.PrivateKey, realm api.RealmID, name string, seq uint64, arg string) intent.Signed {
	t.Helper()
	body, err := json.Marshal(api.Component{Module: api.Program{Blob: api.Sum([]byte("program")), Size: 7}, Args: []string{arg}})
	if err != nil {
		t.Fatal(err)
	}
	in := api.Intent{Realm: realm, Ref: ref(name), Seq: seq, Issued: time.Unix(1, 0).UTC(), Body: body}
	if seq > 1 {
		in.Prev = api.Sum([]byte("the one before"))
	}
	s, err := intent.Sign(in, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func ref(name string) api.Ref { return api.Ref{Kind: api.KindComponent, Name: api.Name(name)} }

// fork returns two intents with the same number: the loser and the winner.
func (w *world) fork(t *testing.T, seq uint64) (loser, winner intent.Signed) {
	a, b := w.sign(t, "web", seq, "a"), w.sign(t, "web", seq, "b")
	if b.Version().Newer(a.Version()) {
		return a, b
	}
	return b, a
}

func accept(t *testing.T, l *intents.Ledger, s intent.Signed, wantNews bool) {
	t.Helper()
	got, news, err := l.Accept(t.Context(), s.Envelope)
	if err != nil || news != wantNews || got.Digest != s.Digest {
		t.Fatalf("Accept number %d = %s, %v, %v; want %s, %v", s.Seq, got.Digest.Short(), news, err, s.Digest.Short(), wantNews)
	}
}

func current(t *testing.T, l *intents.Ledger, name string) string {
	t.Helper()
	env, err := l.Envelope(t.Context(), ref(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(env)
}

func TestAcceptKeepsTheOrder(t *testing.T) {
	w := newWorld(t)
	l := w.open(t)
	one, three := w.sign(t, "web", 1, ""), w.sign(t, "web", 3, "")
	loser, winner := w.fork(t, 5)

	accept(t, l, one, true)
	accept(t, l, one, false) // the same again is fine
	accept(t, l, three, true)
	for _, s := range []intent.Signed{one, w.sign(t, "web", 2, "")} {
		if _, _, err := l.Accept(t.Context(), s.Envelope); !errors.Is(err, intents.ErrOlder) {
			t.Errorf("Accept number %d after 3 = %v; want ErrOlder", s.Seq, err)
		}
	}
	accept(t, l, loser, true)
	accept(t, l, winner, true)
	_, _, err := l.Accept(t.Context(), loser.Envelope)
	if !errors.Is(err, intents.ErrOlder) || !strings.Contains(err.Error(), "realm status") {
		t.Errorf("the loser of a fork after the winner: %v; want ErrOlder that says what to do", err)
	}
	if current(t, l, "web") != string(winner.Envelope) {
		t.Error("not the winner is kept")
	}
}

func TestRefused(t *testing.T) {
	w := newWorld(t)
	l := w.open(t)
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	good := w.sign(t, "web", 1, "")
	tampered := []byte(strings.Replace(string(good.Envelope), `"payload":"ey`, `"payload":"eY`, 1))
	for name, c := range map[string]struct {
		envelope []byte
		want     error
	}{
		"signed by somebody else":   {sign(t, stranger, w.pin.Realm, "web", 1, "").Envelope, intent.ErrSignature},
		"tampered":                  {tampered, intent.ErrSignature},
		"of another realm":          {sign(t, w.owner, api.NewRealmID(stranger.Public().(ed25519.PublicKey)), "web", 1, "").Envelope, intent.ErrRealm},
		"not an envelope":           {[]byte("{}"), nil},
		"nothing":                   {nil, nil},
		"larger than any may be":    {make([]byte, api.MaxEnvelope+1), api.ErrTooLarge},
		"an envelope and then more": {append(slices.Clone(good.Envelope), '{'), nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, news, err := l.Accept(t.Context(), c.envelope)
			if err == nil || news || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("Accept = %v, %v; want %v", news, err, c.want)
			}
			if _, _, err := l.Look(c.envelope); err == nil {
				t.Error("Look finds nothing wrong with it")
			}
		})
	}
	if l.Count() != 0 {
		t.Errorf("%d intents are held", l.Count())
	}
}

func TestReplayDiesAfterRestart(t *testing.T) {
	w := newWorld(t)
	one, two := w.sign(t, "web", 1, ""), w.sign(t, "web", 2, "")
	l := w.open(t)
	accept(t, l, one, true)
	accept(t, l, two, true)
	w.openMarks(t)

	// Somebody put an old copy of the bus's folder back.
	w.store = storetest.NewMemory()
	if err := w.store.Put(t.Context(), ref("web"), one.Envelope, 0); err != nil {
		t.Fatal(err)
	}
	l = w.open(t)
	if n := len(l.Summary()); n != 0 {
		t.Errorf("%d intents are offered to others; the only one there is overtaken", n)
	}
	if _, _, err := l.Accept(t.Context(), one.Envelope); !errors.Is(err, intents.ErrOlder) {
		t.Errorf("Accept number 1 = %v; want ErrOlder: the mark is at 2", err)
	}
	// A peer has the very version that the mark names.
	entry := api.SyncEntry{Ref: ref("web"), Seq: 2, Digest: two.Digest}
	if got := l.Wanted([]api.SyncEntry{entry}); !slices.Equal(got, []api.Ref{ref("web")}) {
		t.Errorf("Wanted = %v; want what the store has lost", got)
	}
	if _, news, err := l.Look(two.Envelope); err != nil || !news {
		t.Errorf("Look = %v, %v; want news: gossip may bring it back, too", news, err)
	}
	accept(t, l, two, true)
	accept(t, l, two, false)
	if current(t, l, "web") != string(two.Envelope) {
		t.Error("the lost intent is not back")
	}
}

func TestCrashBetweenStoreAndMark(t *testing.T) {
	w := newWorld(t)
	accept(t, w.open(t), w.sign(t, "web", 1, ""), true)
	two := w.sign(t, "web", 2, "")
	st, err := w.store.Get(t.Context(), ref("web"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.store.Put(t.Context(), ref("web"), two.Envelope, st.Revision); err != nil {
		t.Fatal(err)
	}
	l := w.open(t)
	if got := w.marks.At(ref("web")); got != two.Version() {
		t.Errorf("the mark is at %d; want 2, as the store says", got.Seq)
	}
	accept(t, l, two, false)
}

func TestStoreIsNotTrusted(t *testing.T) {
	w := newWorld(t)
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	forged := sign(t, stranger, w.pin.Realm, "web", 9, "")
	moved := w.sign(t, "web", 1, "")
	for r, env := range map[api.Ref][]byte{ref("web"): forged.Envelope, ref("other"): moved.Envelope} {
		if err := w.store.Put(t.Context(), r, env, 0); err != nil {
			t.Fatal(err)
		}
	}
	l := w.open(t)
	if l.Count() != 0 {
		t.Errorf("%d intents are held; none in the store is what it seems", l.Count())
	}
	accept(t, l, w.sign(t, "web", 1, ""), true)
	accept(t, l, w.sign(t, "other", 1, ""), true)
	if string(forged.Envelope) == current(t, l, "web") {
		t.Error("the forged one is still there")
	}
}

// TestStoreIsAhead has another writer put something newer behind the ledger's back.
func TestStoreIsAhead(t *testing.T) {
	w := newWorld(t)
	l := w.open(t)
	two := w.sign(t, "web", 2, "")
	if err := w.store.Put(t.Context(), ref("web"), two.Envelope, 0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.Accept(t.Context(), w.sign(t, "web", 1, "").Envelope); !errors.Is(err, intents.ErrOlder) {
		t.Errorf("Accept number 1 over 2 = %v; want ErrOlder", err)
	}
	accept(t, l, two, false)
}

func TestFailuresLeaveNothingBehind(t *testing.T) {
	w := newWorld(t)
	l := w.open(t)
	one := w.sign(t, "web", 1, "")

	w.full = fmt.Errorf("%w: no room", disk.ErrFull)
	if _, _, err := l.Accept(t.Context(), one.Envelope); !errors.Is(err, disk.ErrFull) {
		t.Errorf("Accept on a full disk = %v; want ErrFull", err)
	}
	w.full = nil
	broken := errors.New("the bus is away")
	w.store.Fail(broken)
	if _, _, err := l.Accept(t.Context(), one.Envelope); !errors.Is(err, broken) {
		t.Errorf("Accept without a store = %v; want its error", err)
	}
	w.store.Fail(nil)
	if v := w.marks.At(ref("web")); v != (intent.Version{}) {
		t.Errorf("the mark has moved to %d", v.Seq)
	}
	accept(t, l, one, true)
}

func TestLostWhileRunning(t *testing.T) {
	w := newWorld(t)
	l := w.open(t)
	one := w.sign(t, "web", 1, "")
	accept(t, l, one, true)
	w.store.Lose(ref("web"))
	if _, err := l.Envelope(t.Context(), ref("web")); !errors.Is(err, intents.ErrNotFound) {
		t.Errorf("Envelope = %v; want ErrNotFound", err)
	}
	if n := len(l.Summary()); n != 0 {
		t.Error("what is lost is still offered")
	}
	accept(t, l, one, true)
}

func TestWanted(t *testing.T) {
	w := newWorld(t)
	l := w.open(t)
	two := w.sign(t, "web", 2, "")
	loser, winner := w.fork(t, 7)
	accept(t, l, two, true)
	entry := func(r api.Ref, seq uint64, d api.Digest) api.SyncEntry {
		return api.SyncEntry{Ref: r, Seq: seq, Digest: d}
	}
	for name, c := range map[string]struct {
		entry api.SyncEntry
		want  bool
	}{
		"the same":          {entry(ref("web"), 2, two.Digest), false},
		"an older one":      {entry(ref("web"), 1, api.Sum(nil)), false},
		"a newer one":       {entry(ref("web"), 3, api.Sum(nil)), true},
		"another name":      {entry(ref("other"), 1, api.Sum(nil)), true},
		"no version at all": {entry(ref("other"), 0, api.Digest{}), false},
	} {
		if got := len(l.Wanted([]api.SyncEntry{c.entry})) == 1; got != c.want {
			t.Errorf("%s: wanted %v; want %v", name, got, c.want)
		}
	}
	accept(t, l, loser, true)
	if len(l.Wanted([]api.SyncEntry{entry(ref("web"), 7, winner.Digest)})) != 1 {
		t.Error("the winner of a fork is not wanted by who has the loser")
	}
	accept(t, l, winner, true)
	if len(l.Wanted([]api.SyncEntry{entry(ref("web"), 7, loser.Digest), entry(ref("web"), 7, winner.Digest)})) != 0 {
		t.Error("a fork is wanted by who has its winner")
	}
}

// TestManyAtOnce has callers offer all versions of a name in no order.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	l := w.open(t)
	const versions = 20
	var all []intent.Signed
	for seq := range uint64(versions) {
		all = append(all, w.sign(t, "web", seq+1, ""))
	}
	ctx := context.WithoutCancel(t.Context())
	var callers sync.WaitGroup
	for i := range 4 {
		callers.Go(func() {
			for j := range all {
				s := all[(i*7+j*3)%versions]
				if _, _, err := l.Accept(ctx, s.Envelope); err != nil && !errors.Is(err, intents.ErrOlder) {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	if got := current(t, l, "web"); got != string(all[versions-1].Envelope) {
		t.Error("the newest version is not the one that is kept")
	}
	w.openMarks(t)
	if got := w.marks.At(ref("web")).Seq; got != versions {
		t.Errorf("the mark on disk is at %d; want %d", got, versions)
	}
}
