package owner

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// later is when one of the invites below has ended.
var later = now.Add(2 * time.Hour)

// realm is a realm with something of everything in it.
type realm struct {
	t *testing.T
	l *ledger.Ledger
	s Signer // the owner
}

// pin is one that follows the owner of now.
func (r *realm) pin() trust.Pin { return trust.Pin{Realm: r.s.Realm, Owner: r.l.Owner()} }

func newRealm(t *testing.T) *realm {
	t.Helper()
	k := newKey(t)
	return &realm{t, ledger.New(trust.NewPin(k.Public())), Signer{Key: k, Realm: k.Realm()}}
}

func (r *realm) add(in intent.Signed, err error) intent.Signed {
	r.t.Helper()
	if err == nil {
		_, err = r.l.Add(in, now)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return in
}

func (r *realm) act(s Signer, a Act) intent.Signed {
	r.t.Helper()
	return r.add(s.Act(r.l, a, now, now))
}

func secret(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(slices.Repeat([]byte{n}, ed25519.SeedSize))
}

func public(n byte) keys.Public { return keys.PublicOf(secret(n)) }

func fn(name string) api.Ref { return api.Ref{Kind: api.KindFunction, Name: api.Name(name)} }

// granted is the holder of a grant with a key of its own.
func (r *realm) granted(g api.Grant) Signer {
	r.t.Helper()
	account := r.s.Key.Path
	k := newKey(r.t)
	r.t.Setenv(paths.EnvOwnerKey, account)
	in := r.act(r.s, Act{GrantRef(k.Public()), Say(&g)})
	return Signer{Key: k, Realm: r.s.Realm, Grant: &in}
}

// join lets node in by the invite of by, countersigned by witness.
func (r *realm) join(node, by, witness byte) {
	r.t.Helper()
	in, err := intent.Sign(api.Intent{Realm: r.s.Realm, Ref: MemberRef(public(node)), Seq: 1, Issued: now, Body: json.RawMessage(`{}`)}, secret(by))
	if err != nil {
		r.t.Fatal(err)
	}
	r.add(r.l.Admit(in, secret(witness), now))
}

func (r *realm) fill() (ci Signer) {
	r.t.Helper()
	program := Set(target, &api.Function{Module: prog})
	r.act(r.s, Act{fn("runs"), program})
	r.act(r.s, Act{fn("stopped"), program})
	r.act(r.s, Act{fn("stopped"), SetStopped(true)})
	r.act(r.s, Act{fn("removed"), program})
	r.act(r.s, Act{fn("removed"), Remove()})
	r.act(r.s, Act{fn("given"), program})
	r.act(r.s, Act{fn("given"), Remove()})
	ci = r.granted(api.Grant{May: []api.Right{api.RightPush}, Since: now.Add(-time.Hour).UTC(), Comment: "builds"})
	r.act(ci, Act{fn("theirs"), program})
	r.act(ci, Act{fn("given"), program})
	gone := r.granted(api.Grant{May: []api.Right{api.RightPush}, Since: now.UTC()})
	r.act(r.s, Revoke(GrantRef(gone.Key.Public())))

	r.act(r.s, Admit(public(1).Key(), nil))
	r.act(r.s, Admit(public(2).Key(), []string{"edge"}))
	r.act(r.s, Revoke(MemberRef(public(2))))
	invite := func(n byte, expires time.Duration, roles ...string) {
		r.act(r.s, Act{InviteRef(public(n)), Say(&api.Invite{Expires: now.Add(expires).UTC(), Roles: roles})})
	}
	invite(11, 24*time.Hour, "edge")
	invite(12, time.Hour)
	invite(13, time.Hour)
	r.join(3, 11, 1)
	r.join(4, 12, 3)
	r.act(r.s, Revoke(InviteRef(public(13))))
	return ci
}

// describe is all that follows from a ledger, but for who has signed it.
func (r *realm) describe() string {
	var out []string
	for _, ref := range r.l.Refs() {
		if s, ok := r.l.Current(ref, later); ok && ref.Kind.Workload() {
			out = append(out, fmt.Sprintf("%s %v %s %v", ref, s.Tombstone, s.Body, s.Target))
		}
	}
	for _, m := range r.l.Members(later) {
		out = append(out, fmt.Sprint(m.Peer, m.Standing, m.Roles))
	}
	for _, g := range r.l.Grants() {
		since := g.Since
		if g.Revoked {
			since = time.Time{} // of a tombstone that was signed anew it is not known
		}
		out = append(out, fmt.Sprint(g.Key, g.Revoked, g.Comment, since, g.Names))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// rotate hands the realm over to a new key, and returns its signer.
func (r *realm) rotate() Signer {
	r.t.Helper()
	next, err := Generate()
	if err != nil {
		r.t.Fatal(err)
	}
	r.add(r.s.Rotate(r.l, next, later, later))
	k, err := r.s.Key.Replace(Secret{next, r.s.Realm}, "")
	if err != nil {
		r.t.Fatal(err)
	}
	return Signer{Key: k, Realm: r.s.Realm}
}

// Everything is as before when it has been signed anew and nothing of the old key is
// left, whenever the new key was interrupted, and for the second rotation, too.
func TestRotateAndSettle(t *testing.T) {
	r := newRealm(t)
	ci := r.fill()
	want := r.describe()
	for range 2 {
		if Rotating(r.l, later) {
			t.Fatal("no rotation has begun")
		}
		old := r.s
		r.s = r.rotate()
		if !Rotating(r.l, later) || r.l.Owner() != r.s.Key.Public() {
			t.Fatal("the rotation is not known")
		}
		if got := r.describe(); got != want {
			t.Errorf("after rotate:\n%s\nwant\n%s", got, want)
		}
		for last := -1; ; { // one at a time: it may be broken off anywhere
			left, err := Left(r.l, later)
			if err != nil {
				t.Fatal(err)
			}
			if len(left) == 0 {
				break
			}
			if last >= 0 && len(left) != last-1 {
				t.Fatalf("%d are left, before it was %d", len(left), last)
			}
			last = len(left)
			r.act(r.s, left[0])
		}
		r.act(r.s, Settle(r.l))
		if Rotating(r.l, later) {
			t.Error("it is settled")
		}
		if got := r.describe(); got != want {
			t.Errorf("after settle:\n%s\nwant\n%s", got, want)
		}
		in, err := old.Act(r.l, Act{fn("stolen"), Set(target, &api.Function{Module: prog})}, later, later)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.l.Add(in, later); !errors.Is(err, ledger.ErrRevoked) {
			t.Errorf("by the old key: %v", err)
		}
	}
	if s, _ := r.l.Current(fn("theirs"), later); s.Signer != ci.Key.Public() {
		t.Error("what a granted key has signed was taken from it")
	}
}

// What is about keys comes first; of invites the live ones; of members all.
func TestLeft(t *testing.T) {
	r := newRealm(t)
	r.fill()
	if left, err := Left(r.l, later); err != nil || slices.ContainsFunc(left, func(a Act) bool { return a.Kind != api.KindMember }) {
		t.Errorf("before a rotation: %v %v", left, err)
	}
	r.s = r.rotate()
	left, err := Left(r.l, later)
	if err != nil {
		t.Fatal(err)
	}
	count := map[api.Kind]int{}
	for i, a := range left {
		count[a.Kind]++
		if i > 0 && a.Kind.Trust() && !left[i-1].Kind.Trust() {
			t.Errorf("%s comes after %s", a.Ref, left[i-1].Ref)
		}
	}
	if got, want := fmt.Sprint(count), fmt.Sprint(map[api.Kind]int{api.KindFunction: 3, api.KindGrant: 2, api.KindInvite: 1, api.KindMember: 4}); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// What only a newer version can sign anew is not lost.
func TestForeign(t *testing.T) {
	r := newRealm(t)
	body := json.RawMessage(`{"x":1}`)
	payload, err := json.Marshal(api.Intent{Realm: r.s.Realm, Ref: api.Ref{Kind: "lease", Name: "s"}, Seq: 1, Issued: now, Body: body})
	if err != nil {
		t.Fatal(err)
	}
	in := byHand(t, r.s.Key, payload)
	if err := CheckRotate(r.l, now); err != nil {
		t.Error(err)
	}
	r.add(in, nil)
	if err := CheckRotate(r.l, now); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "lease/s") {
		t.Errorf("got %v", err)
	}
	r.s = r.rotate()
	if _, err := Left(r.l, now); !errors.Is(err, ErrForeign) {
		t.Errorf("got %v", err)
	}
}

// A rotation is on disk from before the new key is until it is settled.
func TestBegun(t *testing.T) {
	r := newRealm(t)
	k := r.s.Key
	begun := func(k Key, want bool) {
		t.Helper()
		if in, ok, err := k.Begun(); err != nil || ok != want || ok && in.Kind != api.KindRotate {
			t.Errorf("begun %v, want %v (%v)", ok, want, err)
		}
	}
	begun(k, false)
	next, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	in, err := r.s.Rotate(r.l, next, now, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := SaveRotation(k.Path, in); err != nil {
		t.Fatal(err)
	}
	begun(k, false) // its key was never kept
	if k, err = k.Replace(Secret{next, r.s.Realm}, ""); err != nil {
		t.Fatal(err)
	}
	begun(k, true)
	if err := DropRotation(k.Path); err != nil {
		t.Fatal(err)
	}
	begun(k, false)
	if err := DropRotation(k.Path); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]string{"empty": "", "nonsense": "{}", "large": strings.Repeat(" ", api.MaxEnvelope+1), "another": string(r.act(r.s, Admit(public(1).Key(), nil)).Envelope)} {
		if err := os.WriteFile(paths.OwnerRotation(k.Path), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := k.Begun(); err == nil || !strings.Contains(err.Error(), "remove the file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
