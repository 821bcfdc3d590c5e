package node_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/node"
	"github.com/realm-mesh/realm/realm/internal/nodetest"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// stand is a node whose meshd is played, and its owner.
type stand struct {
	t     *testing.T
	node  *node.Node
	meshd *nodetest.Meshd
	owner owner.Signer
}

// newAccount makes a key in an account of its own.
func newAccount(t *testing.T) owner.Key {
	t.Helper()
	t.Setenv(paths.EnvOwnerKey, filepath.Join(t.TempDir(), "owner.pem"))
	k, err := owner.Create()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newStand(t *testing.T) *stand {
	t.Helper()
	h, _ := nodetest.Bus(t)
	k := newAccount(t)
	s := &stand{t: t, node: dial(t, h), owner: owner.Signer{Key: k, Realm: k.Realm()}}
	s.meshd = &nodetest.Meshd{T: t, Conn: nodetest.As(t, h, api.Meshd), Pin: trust.NewPin(k.Public())}
	s.meshd.Serve()
	return s
}

func (s *stand) begin(who owner.Signer, c owner.Change, force bool) (*node.Step, error) {
	return s.node.Begin(nodetest.Context(s.t), s.meshd.Pin, who, ref, c, force)
}

func (s *stand) change(who owner.Signer, c owner.Change) (intent.Signed, error) {
	step, err := s.begin(who, c, false)
	if err != nil {
		return intent.Signed{}, err
	}
	return step.Submit(nodetest.Context(s.t))
}

// sign signs the next version on top of what the node holds, and does not send it.
func (s *stand) sign(c owner.Change) intent.Signed {
	s.t.Helper()
	in, err := s.owner.Act(s.meshd.Ledger(), owner.Act{Ref: ref, Change: c}, time.Now(), time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return in
}

// grant lets a new key do what g says.
func (s *stand) grant(g api.Grant) owner.Signer {
	s.t.Helper()
	k := newAccount(s.t)
	g.Since = time.Now().Add(-time.Hour)
	in, err := s.owner.Act(s.meshd.Ledger(), owner.Act{Ref: owner.GrantRef(k.Public()), Change: owner.Say(&g)}, time.Now(), time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	s.meshd.Take(in)
	return owner.Signer{Key: k, Realm: s.owner.Realm, Grant: &in}
}

var push = owner.Set(api.Target{}, &api.Component{Module: api.Program{Blob: api.Sum([]byte("x")), Size: 1}})

func TestSteps(t *testing.T) {
	s := newStand(t)
	if _, err := s.change(s.owner, owner.Remove()); !errors.Is(err, owner.ErrUnknown) {
		t.Errorf("remove nothing: %v", err)
	}
	first, err := s.change(s.owner, push)
	if err != nil || first.Seq != 1 {
		t.Fatalf("first: %d %v", first.Seq, err)
	}
	second, err := s.change(s.owner, owner.SetStopped(true))
	if err != nil || second.Seq != 2 || second.Prev != first.Digest {
		t.Fatalf("second: %d %v", second.Seq, err)
	}
	step, err := s.begin(s.owner, owner.SetStopped(true), false)
	if !errors.Is(err, owner.ErrUnchanged) || step.Current().Digest != second.Digest {
		t.Errorf("stopped twice: %v", err)
	}
}

// What others sign between the start of a command and its end is not signed over,
// unless that is wanted.
func TestStale(t *testing.T) {
	for name, slip := range map[string]func(*stand){
		"before it signs": func(s *stand) { s.slip() },
		"while it signs":  func(s *stand) { s.meshd.Before = s.slip },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			if _, err := s.change(s.owner, push); err != nil {
				t.Fatal(err)
			}
			step, err := s.begin(s.owner, owner.SetStopped(true), false)
			if err != nil {
				t.Fatal(err)
			}
			slip(s)
			_, err = step.Submit(nodetest.Context(t))
			var stale *node.StaleError
			if !errors.As(err, &stale) || len(stale.News) != 2 {
				t.Fatalf("got %v", err)
			}
			for _, want := range []string{"component/web has changed", "number 3, signed by owner at 20", "removed", "number 2, ", "realm history component/web", "--force"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in %v", want, err)
				}
			}
			if cur, _ := s.meshd.Ledger().Current(ref, time.Now()); cur.Seq != 3 {
				t.Errorf("version %d counts", cur.Seq)
			}

			step, err = s.begin(s.owner, push, true)
			if err != nil {
				t.Fatal(err)
			}
			slip(s)
			last, err := step.Submit(nodetest.Context(t))
			if err != nil || last.Seq != 6 {
				t.Errorf("forced: %d %v", last.Seq, err)
			}
		})
	}
}

// slip has somebody else push and remove.
func (s *stand) slip() {
	other := owner.Set(api.Target{}, &api.Component{Module: api.Program{Blob: api.Sum([]byte("other")), Size: 1}})
	for _, c := range []owner.Change{other, owner.Remove()} {
		s.meshd.Take(s.sign(c))
	}
}

// An answer that gets lost is no other version.
func TestRefusedThoughTaken(t *testing.T) {
	s := newStand(t)
	s.meshd.Lose = func(in intent.Signed) bool { return in.Seq == 2 }
	for want := range uint64(3) {
		in, err := s.change(s.owner, push)
		if err != nil || in.Seq != want+1 {
			t.Fatalf("%d: %d %v", want+1, in.Seq, err)
		}
	}
}

// A version from the future takes a number, and does not count.
func TestAfterOneFromTheFuture(t *testing.T) {
	s := newStand(t)
	first, err := s.change(s.owner, push)
	if err != nil {
		t.Fatal(err)
	}
	ahead, err := s.owner.Next(ref, owner.Place{Seq: 2, Prev: first.Digest}, &first, owner.Remove(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	s.meshd.Take(ahead)
	in, err := s.change(s.owner, owner.SetStopped(true))
	if err != nil || in.Seq != 3 || in.Prev != first.Digest {
		t.Errorf("number %d after %s, %v", in.Seq, in.Prev.Short(), err)
	}
}

// Commands side by side: one is first, the others are told. Forced, all succeed.
func TestSideBySide(t *testing.T) {
	const commands = 4
	for _, force := range []bool{false, true} {
		s := newStand(t)
		var steps []*node.Step
		for i := range commands {
			step, err := s.begin(s.owner, owner.Set(api.Target{}, &api.Component{Module: api.Program{Blob: api.Sum([]byte{byte(i)}), Size: 1}}), force)
			if err != nil {
				t.Fatal(err)
			}
			steps = append(steps, step)
		}
		errs := make(chan error, commands)
		for _, step := range steps {
			go func() {
				_, err := step.Submit(nodetest.Context(t))
				errs <- err
			}()
		}
		failed := 0
		for range commands {
			var stale *node.StaleError
			if err := <-errs; errors.As(err, &stale) {
				failed++
			} else if err != nil {
				t.Error(err)
			}
		}
		if want := map[bool]int{false: commands - 1, true: 0}[force]; failed != want {
			t.Errorf("force %v: %d came too late, want %d", force, failed, want)
		}
	}
}

// The bus must show what meshd says: a command waits a moment for it.
func TestBusBehindMeshd(t *testing.T) {
	s := newStand(t)
	first, err := s.change(s.owner, push)
	if err != nil {
		t.Fatal(err)
	}
	next := s.sign(owner.Remove())
	key := api.KeySlot(ref, first.By())
	s.meshd.Take(next)
	nodetest.Put(t, s.meshd.Conn, api.BucketIntents, key, first.Envelope)
	time.AfterFunc(300*time.Millisecond, func() { nodetest.Put(t, s.meshd.Conn, api.BucketIntents, key, next.Envelope) })
	in, err := s.change(s.owner, push)
	if err != nil || in.Prev != next.Digest {
		t.Errorf("signed on %s, %v", in.Prev.Short(), err)
	}
}

// A granted key is told before anything is sent what it may not do.
func TestGranted(t *testing.T) {
	s := newStand(t)
	web := s.grant(api.Grant{May: []api.Right{api.RightPush}, Prefix: "we"})
	in, err := s.change(web, push)
	if err != nil || in.Seq != 1 {
		t.Fatalf("what it may: %v", err)
	}
	if cur, ok := s.meshd.Ledger().Current(ref, time.Now()); !ok || cur.Signer != web.Key.Public() {
		t.Errorf("%v counts", cur.Signer)
	}
	if _, err := s.change(web, owner.Remove()); err != nil {
		t.Errorf("its own: %v", err)
	}
	if _, err := s.change(s.owner, push); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		who  owner.Signer
		want []string
		is   error
	}{
		"the owner's":  {web, []string{"component/web is the owner's", "number 3", "another name"}, owner.ErrTaken},
		"another name": {s.grant(api.Grant{May: []api.Right{api.RightPush}, Prefix: "ci-"}), []string{"push names that begin with ci-", `"ci-"`}, owner.ErrRights},
		"no right":     {s.grant(api.Grant{May: []api.Right{api.RightJob}}), []string{"does not say push", "Its grant is to job any name"}, owner.ErrRights},
		"no tag":       {s.grant(api.Grant{May: []api.Right{api.RightPush}, Tags: []string{"dev"}}), []string{"--tag", "for nodes with the tag dev"}, owner.ErrRights},
		"ended":        {s.grant(api.Grant{May: []api.Right{api.RightPush}, Expires: time.Now().Add(-time.Minute)}), []string{"ended at"}, owner.ErrRights},
	} {
		_, err := s.begin(c.who, push, false)
		if !errors.Is(err, c.is) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: no %q in %v", name, w, err)
			}
		}
	}
	if cur, _ := s.meshd.Ledger().Current(ref, time.Now()); cur.Seq != 3 {
		t.Errorf("version %d counts", cur.Seq)
	}
}

// Many intents go together. One that meshd numbers otherwise is signed anew.
func TestSignAll(t *testing.T) {
	s := newStand(t)
	const count = 300
	var acts []owner.Act
	for i := range count {
		acts = append(acts, owner.Act{Ref: api.Ref{Kind: api.KindComponent, Name: api.Name(fmt.Sprint("p", i))}, Change: push})
	}
	acts = append(acts, owner.Act{Ref: ref, Change: push}, owner.Admit(make(ed25519.PublicKey, ed25519.PublicKeySize), nil))
	l, err := s.node.WholeLedger(nodetest.Context(t), s.meshd.Pin)
	if err != nil {
		t.Fatal(err)
	}
	s.slip() // after it was read
	seen := map[api.Ref]bool{}
	err = s.node.SignAll(nodetest.Context(t), s.meshd.Pin, s.owner, l, acts, func(in intent.Signed) { seen[in.Ref] = true })
	if err != nil || len(seen) != len(acts) {
		t.Errorf("%d of %d, %v", len(seen), len(acts), err)
	}
	if cur, _ := s.meshd.Ledger().Current(ref, time.Now()); cur.Seq != 3 || cur.Tombstone {
		t.Errorf("number %d counts", cur.Seq)
	}
	stranger := owner.Signer{Key: newAccount(t), Realm: s.owner.Realm}
	err = s.node.SignAll(nodetest.Context(t), s.meshd.Pin, stranger, l, acts, func(in intent.Signed) { t.Errorf("%s was taken", in.Ref) })
	if err == nil || !strings.Contains(err.Error(), "has no say") {
		t.Errorf("a stranger: %v", err)
	}
}

func TestSignerText(t *testing.T) {
	pub := keys.Public{7}
	name := api.KeyName(pub.Key())
	for want, v := range map[string]api.Version{
		"owner":                     {By: "owner", Signer: name},
		pub.String():                {Signer: name},
		"ci (" + pub.String() + ")": {By: "ci", Signer: name},
		"someone":                   {By: "someone", Signer: "no key"},
	} {
		if got := node.SignerText(v); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
