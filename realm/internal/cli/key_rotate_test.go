package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// fill has a bit of everything in the realm.
func (m *mesh) fill() {
	m.t.Helper()
	for _, name := range []string{"one", "two", "gone"} {
		m.act(owner.Act{Ref: api.Ref{Kind: api.KindFunction, Name: api.Name(name)}, Change: function(name)})
	}
	m.act(owner.Act{Ref: api.Ref{Kind: api.KindFunction, Name: "gone"}, Change: owner.Remove()})
	m.act(owner.Admit(keys.PublicOf(seedKey(1)).Key(), []string{"edge"}))
	m.invite(seedKey(11))
	m.join(seedKey(2), seedKey(11), seedKey(1))
	m.act(owner.Act{Ref: owner.GrantRef(keys.PublicOf(seedKey(21))), Change: owner.Say(&api.Grant{May: []api.Right{api.RightPush}, Since: time.Now().UTC()})})
}

// state is what follows from all that was signed, but for the signers and numbers.
func (m *mesh) state() string {
	l, now := m.seq.Ledger(), time.Now()
	var out []string
	for _, ref := range l.Refs() {
		if s, ok := l.Current(ref, now); ok && ref.Kind.Workload() {
			out = append(out, fmt.Sprintf("%s %v %s", ref, s.Tombstone, s.Body))
		}
	}
	for _, v := range l.Members(now) {
		out = append(out, fmt.Sprint(v.Peer, v.Standing, v.Roles))
	}
	for _, g := range l.Grants() {
		out = append(out, fmt.Sprint(g.Key, g.Grant))
	}
	for _, i := range l.Invites(now) {
		out = append(out, fmt.Sprint(i.Key, i.Invite))
	}
	return strings.Join(out, "\n")
}

// rotated makes sure that the realm is in the hands of the key of the account, and
// as it was.
func (m *mesh) rotated(was string) {
	m.t.Helper()
	k, err := owner.Load()
	if err != nil {
		m.t.Fatal(err)
	}
	l := m.seq.Ledger()
	if k.Public() == m.owner.Key.Public() || l.Owner() != k.Public() || !l.Settled() || k.Realm() != m.seq.Pin.Realm {
		m.t.Errorf("the owner was %s and is %s of %s, settled %v; in the file is %s", m.owner.Key.Public(), l.Owner(), k.Realm(), l.Settled(), k.Public())
	}
	if left, err := owner.Left(l, time.Now()); err != nil || len(left) != 0 {
		m.t.Errorf("left to sign: %v %v", left, err)
	}
	if now := m.state(); now != was {
		m.t.Errorf("it was\n%s\nand is\n%s", was, now)
	}
	if _, err := os.Stat(paths.OwnerRotation(k.Path)); err == nil {
		m.t.Error("the rotation is still kept")
	}
	m.want(0, []string{"is accepted"}, "push", "--name", "after", "--file", m.file, "--wait=false")
}

func TestRotate(t *testing.T) {
	m := newMesh(t)
	m.fill()
	was := m.state()
	m.want(1, []string{"no rotation is under way"}, "key", "rotate", "--resume")
	m.want(1, []string{"is replaced by a new one", "--yes", "nothing was changed"}, "key", "rotate")
	m.want(0, []string{"The owner is ed25519:", "signed anew: 7 intents", "realm key backup"}, "key", "rotate", "--yes")
	m.rotated(was)
	m.want(1, []string{"no rotation is under way"}, "key", "rotate", "--resume")

	// The old key has no say; it lies beside the new one.
	m.as(paths.RetiredOwnerKey(m.account, 1))
	m.want(1, []string{"your key has been replaced by a new one"}, "rm", "one")
	m.as(m.account)
	code, out, errs := m.realm("key", "rotate", "--yes", "--json")
	var v rotateView
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || v.Signed != 8 || v.Realm != m.seq.Pin.Realm || v.Key != m.seq.Ledger().Owner() {
		t.Errorf("once more: %d %v %s%s", code, err, out, errs)
	}
}

// Broken off after any number of intents, it is resumed.
func TestResumeRotation(t *testing.T) {
	for after := range 10 {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			m := newMesh(t)
			m.fill()
			was, taken := m.state(), 0
			m.seq.Refuse = func(intent.Signed) error {
				if taken == after {
					return errors.New("the power is out")
				}
				taken++
				return nil
			}
			if after == 9 { // rotate, seven intents, settle
				m.want(0, nil, "key", "rotate", "--yes")
				m.seq.Refuse = nil
				m.rotated(was)
				return
			}
			m.want(1, []string{"the rotation is not finished", "the power is out", "realm key rotate --resume"}, "key", "rotate", "--yes")
			m.want(1, []string{"realm key rotate --resume"}, "key", "rotate", "--yes")
			if after == 0 {
				m.want(1, []string{"this node belongs to another owner", "realm key rotate --resume"}, "fn", "rm", "one")
			}
			m.seq.Refuse = nil
			m.want(0, []string{"The owner is ed25519:"}, "key", "rotate", "--resume")
			m.rotated(was)
		})
	}
}

// Before the new key is in its place, nothing has begun; when all is settled, only
// the file is left to remove.
func TestRotationAtItsEnds(t *testing.T) {
	m := newMesh(t)
	m.fill()
	was := m.state()
	lost, err := owner.Generate()
	if err != nil {
		t.Fatal(err)
	}
	in, err := m.owner.Rotate(m.seq.Ledger(), lost, time.Now(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.SaveRotation(m.account, in); err != nil {
		t.Fatal(err)
	}
	m.want(1, []string{"no rotation is under way"}, "key", "rotate", "--resume")
	var kept []byte
	m.seq.After = func(in intent.Signed) {
		if in.Kind == api.KindRotate {
			if kept, err = os.ReadFile(paths.OwnerRotation(m.account)); err != nil {
				t.Error(err)
			}
		}
	}
	m.want(0, nil, "key", "rotate", "--yes")
	m.rotated(was)
	if err := os.WriteFile(paths.OwnerRotation(m.account), kept, 0o600); err != nil {
		t.Fatal(err)
	}
	m.want(0, []string{"The owner is ed25519:"}, "key", "rotate", "--resume")
	if _, err := os.Stat(paths.OwnerRotation(m.account)); err == nil {
		t.Error("the rotation is still kept")
	}
}

// A rotation that was begun in another account goes on in this one, which has got
// the new key's words, and no file of the rotation.
func TestResumeElsewhere(t *testing.T) {
	m := newMesh(t)
	m.fill()
	was, taken := m.state(), 0
	m.seq.Refuse = func(intent.Signed) error {
		if taken++; taken > 3 {
			return errors.New("the power is out")
		}
		return nil
	}
	m.want(1, nil, "key", "rotate", "--yes")
	m.seq.Refuse = nil
	elsewhere := filepath.Join(t.TempDir(), "owner.pem")
	b, err := os.ReadFile(m.account)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(elsewhere, b, 0o600); err != nil {
		t.Fatal(err)
	}
	m.as(elsewhere)
	m.want(1, []string{"realm key rotate --resume"}, "key", "rotate", "--yes")
	m.want(0, nil, "key", "rotate", "--resume")
	m.rotated(was)
}

// The new key has the passphrase of the old one.
func TestRotateKeepsThePassphrase(t *testing.T) {
	m := newMesh(t)
	t.Setenv(envNewPassphrase, "correct horse")
	m.want(0, nil, "key", "passphrase")
	m.want(1, []string{"no terminal"}, "key", "rotate", "--yes")
	t.Setenv(envPassphrase, "correct horse")
	m.want(0, []string{"The owner is"}, "key", "rotate", "--yes", "--timeout", "2m") // sealing takes its time
	k, err := owner.Load()
	if err != nil || !k.Sealed() || k.Public() == m.owner.Key.Public() {
		t.Fatalf("sealed %v, %v", k.Sealed(), err)
	}
	if _, err := k.Open("correct horse"); err != nil {
		t.Error(err)
	}
}

func TestRotateMany(t *testing.T) { rotateMany(t, 1000) }

// BenchmarkRotate rotates the key of a realm of ten thousand programs:
// go test -run - -bench Rotate -benchtime 1x ./internal/cli
func BenchmarkRotate(b *testing.B) {
	for b.Loop() {
		rotateMany(b, 10_000)
	}
}

func rotateMany(t testing.TB, count int) {
	m := newMesh(t)
	var all []intent.Signed
	for i := range count {
		ref := api.Ref{Kind: api.KindFunction, Name: api.Name(fmt.Sprint("f", i))}
		in, err := m.owner.Act(m.seq.Ledger(), owner.Act{Ref: ref, Change: function("x")}, time.Now(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, in)
	}
	m.seq.Take(all...)
	begin := time.Now()
	m.want(0, []string{fmt.Sprintf("signed anew: %d intents", count)}, "key", "rotate", "--yes", "--timeout", "2m")
	t.Logf("%d intents in %v", count, time.Since(begin))
	if s, _ := m.seq.Ledger().Current(api.Ref{Kind: api.KindFunction, Name: "f77"}, time.Now()); s.Seq != 2 || s.Signer != m.seq.Ledger().Owner() {
		t.Errorf("number %d by %s", s.Seq, s.Signer)
	}
}
