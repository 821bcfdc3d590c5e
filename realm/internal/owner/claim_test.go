package owner

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/config"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/invite"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

func newHome(t *testing.T) paths.Home {
	t.Helper()
	h, err := paths.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func settingsOf(p trust.Pin) config.Node {
	return config.Node{Owner: p.Owner.String(), Realm: p.Realm}
}

func TestClaim(t *testing.T) {
	other := newKey(t)
	mine := newKey(t) // what $REALM_OWNER_KEY says from here on

	h := newHome(t)
	pin, err := Claim(h, config.Node{}, Load)
	if err != nil || pin != mine.Pin() || pin.Realm != mine.Realm() {
		t.Errorf("by the key of the account: %v %v", pin, err)
	}
	if stored, err := trust.ReadPin(h.Pin()); err != nil || stored != pin {
		t.Errorf("stored %v %v", stored, err)
	}

	set := newHome(t)
	if pin, err := Claim(set, config.Node{Owner: other.Public().String()}, Load); err != nil || pin != other.Pin() {
		t.Errorf("settings come before the account: %v %v", pin, err)
	}
	if pin, err := Claim(set, config.Node{}, Load); err != nil || pin.Owner != other.Public() {
		t.Errorf("a pin stays: %v %v", pin, err)
	}
	_, err = Claim(set, settingsOf(mine.Pin()), Load)
	if !errors.Is(err, ErrOtherOwner) || !strings.Contains(err.Error(), other.Public().String()) || !strings.Contains(err.Error(), "realm reset") {
		t.Errorf("another owner: %v", err)
	}
	if pin, _ := trust.ReadPin(set.Pin()); pin.Owner != other.Public() {
		t.Error("the pin has changed")
	}

	t.Setenv(paths.EnvOwnerKey, filepath.Join(t.TempDir(), "none.pem"))
	unclaimed := newHome(t)
	if _, err := Claim(unclaimed, config.Node{}, Load); !errors.Is(err, trust.ErrUnclaimed) {
		t.Errorf("without any key: %v", err)
	}
	if _, err := os.Stat(unclaimed.Pin()); err == nil {
		t.Error("a pin was written without a key")
	}
	if _, err := Claim(unclaimed, config.Node{Owner: "ed25519:nonsense"}, Load); err == nil || errors.Is(err, trust.ErrUnclaimed) {
		t.Errorf("a key that is none: %v", err)
	}
}

// The realm outlives its keys: a node may be told a later key of it, and settings
// that name an earlier one do no harm.
func TestClaimOfARotatedRealm(t *testing.T) {
	first, second := newKey(t), newKey(t)
	rotated := trust.Pin{Realm: first.Realm(), Owner: second.Public()}
	h := newHome(t)
	if pin, err := Claim(h, settingsOf(rotated), Load); err != nil || pin != rotated {
		t.Errorf("got %v, %v", pin, err)
	}
	for name, c := range map[string]config.Node{
		"its first key":        {Owner: first.Public().String()},
		"its second key alone": {Owner: second.Public().String()},
		"nothing":              {},
	} {
		if pin, err := Claim(h, c, Load); err != nil || pin != rotated {
			t.Errorf("settings name %s: %v, %v", name, pin, err)
		}
	}
	if _, err := Claim(h, config.Node{Owner: newKey(t).Public().String()}, Load); !errors.Is(err, ErrOtherOwner) {
		t.Errorf("settings name another realm: %v", err)
	}
}

func newToken(t *testing.T, k Key) invite.Token {
	t.Helper()
	tok, _, err := invite.New(k.Signer(), k.Pin(), api.Invite{Expires: time.Now().Add(time.Hour)}, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestEnroll(t *testing.T) {
	other, mine := newKey(t), newKey(t)
	h := newHome(t)
	for range 2 { // a newer token takes the place of the one before
		tok := newToken(t, mine)
		if err := Enroll(h, tok, config.Node{}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(h.EnrollToken())
		if err != nil {
			t.Fatal(err)
		}
		if kept, err := invite.Parse(string(text)); err != nil || !kept.Key.Equal(tok.Key) {
			t.Errorf("kept another token: %v", err)
		}
	}
	if fi, err := os.Stat(h.EnrollToken()); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if pin, err := trust.ReadPin(h.Pin()); err != nil || pin != mine.Pin() {
		t.Errorf("follows %v, %v", pin, err)
	}
	if err := Enroll(h, newToken(t, other), config.Node{}); !errors.Is(err, ErrOtherOwner) || !strings.Contains(err.Error(), string(other.Realm())) {
		t.Errorf("a token of another realm: %v", err)
	}
	if err := trust.WriteMembership(h.Proof(), api.Proof{Realm: mine.Realm()}); err != nil {
		t.Fatal(err)
	}
	if err := Enroll(h, newToken(t, mine), config.Node{}); !errors.Is(err, ErrMember) {
		t.Errorf("a member: %v", err)
	}
}

func TestEnrollBesideSettings(t *testing.T) {
	other, mine := newKey(t), newKey(t)
	h := newHome(t)
	if err := Enroll(h, newToken(t, mine), settingsOf(other.Pin())); !errors.Is(err, ErrOtherOwner) || !strings.Contains(err.Error(), "take owner out of the settings") {
		t.Errorf("got %v", err)
	}
	if _, err := trust.ReadPin(h.Pin()); !errors.Is(err, trust.ErrUnclaimed) {
		t.Errorf("it follows somebody (%v)", err)
	}
	if err := Enroll(h, newToken(t, mine), settingsOf(mine.Pin())); err != nil {
		t.Error(err)
	}
}

// A node that has seen a rotation keeps its newer pin when it enrolls with a token
// from before.
func TestEnrollKeepsTheNewerPin(t *testing.T) {
	first, second := newKey(t), newKey(t)
	h := newHome(t)
	rotated := trust.Pin{Realm: first.Realm(), Owner: second.Public()}
	if err := rotated.Write(h.Pin()); err != nil {
		t.Fatal(err)
	}
	if err := Enroll(h, newToken(t, first), settingsOf(first.Pin())); err != nil {
		t.Fatal(err)
	}
	if pin, err := trust.ReadPin(h.Pin()); err != nil || pin != rotated {
		t.Errorf("follows %v, %v", pin, err)
	}
}

// member is how the ledger of pin sees the node of h by its membership.
func member(t *testing.T, h paths.Home, pin trust.Pin, now time.Time) ledger.Verdict {
	t.Helper()
	node, err := keys.Read(h.NodeKey())
	if err != nil {
		t.Fatal(err)
	}
	p, err := trust.ReadMembership(h.Proof())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ledger.EncodeProof(p)
	if err != nil {
		t.Fatal(err)
	}
	return ledger.New(pin).Judge(keys.PublicOf(node), raw, now)
}

func TestJoin(t *testing.T) {
	k, now := newKey(t), time.Now()
	h := newHome(t)
	if _, err := keys.Create(h.NodeKey()); err != nil {
		t.Fatal(err)
	}
	if err := Join(h, k.Pin(), Load, now); err != nil {
		t.Fatal(err)
	}
	if v := member(t, h, k.Pin(), now); v.Standing != api.StandingMember {
		t.Errorf("it is %+v", v)
	}
	before, err := os.ReadFile(h.Proof())
	if err != nil {
		t.Fatal(err)
	}
	if err := Join(h, k.Pin(), func() (Key, error) { return Key{}, errors.New("nobody needs a key") }, now); err != nil {
		t.Errorf("a member: %v", err)
	}
	if after, err := os.ReadFile(h.Proof()); err != nil || string(after) != string(before) {
		t.Errorf("a membership was replaced (%v)", err)
	}
}

func TestJoinNeedsTheOwner(t *testing.T) {
	other, now := newKey(t), time.Now()
	mine := newKey(t)
	sealed, err := mine.SetPassphrase(Secret{mine.file.private, mine.Realm()}, "secret")
	if err != nil {
		t.Fatal(err)
	}
	h := newHome(t)
	if _, err := keys.Create(h.NodeKey()); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		pin  trust.Pin
		mine func() (Key, error)
		err  error
	}{
		"another's realm":      {other.Pin(), Load, nil},
		"a realm that rotated": {trust.Pin{Realm: mine.Realm(), Owner: other.Public()}, Load, nil},
		"no key":               {mine.Pin(), func() (Key, error) { return Key{}, ErrNoKey }, nil},
		"a locked key":         {mine.Pin(), func() (Key, error) { return sealed, nil }, ErrLocked},
		"a file that is none":  {mine.Pin(), func() (Key, error) { return Key{}, os.ErrInvalid }, os.ErrInvalid},
	} {
		if err := Join(h, c.pin, c.mine, now); !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
		}
		if _, err := trust.ReadMembership(h.Proof()); !errors.Is(err, trust.ErrNoMembership) {
			t.Errorf("%s: it is a member (%v)", name, err)
		}
	}
}

func TestJoinAsClient(t *testing.T) {
	k, now := newKey(t), time.Now()
	h := newHome(t)
	if _, err := keys.Create(h.NodeKey()); err != nil {
		t.Fatal(err)
	}
	until := now.Add(time.Hour)
	if err := (Signer{Key: k, Realm: k.Realm()}).JoinAsClient(h, k.Pin(), until, now); err != nil {
		t.Fatal(err)
	}
	if v := member(t, h, k.Pin(), now); v.Standing != api.StandingClient || v.Until.Sub(until).Abs() > time.Second {
		t.Errorf("it is %+v", v)
	}
	if v := member(t, h, k.Pin(), until.Add(time.Minute)); v.Standing != "" {
		t.Errorf("afterwards it is %+v", v)
	}
	p, err := trust.ReadMembership(h.Proof())
	if err != nil {
		t.Fatal(err)
	}
	if s, err := intent.Read(p.Intents[0]); err != nil || s.Signer != k.Public() {
		t.Errorf("signed by %v, %v", s.Signer, err)
	}
}
