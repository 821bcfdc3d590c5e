package launcher

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/invite"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// newAccount gives this account an owner key.
func newAccount(t *testing.T) owner.Key {
	t.Helper()
	t.Setenv(paths.EnvOwnerKey, filepath.Join(t.TempDir(), "owner.pem"))
	k, err := owner.Create()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// once brings the node up and stops it.
func (n *testNode) once() {
	n.t.Helper()
	n.up()
	n.cancel()
	if err := n.ended(); err != nil {
		n.t.Fatal(err)
	}
}

// follows is whom the node trusts, "" for nobody, and whether it is a member.
func (n *testNode) follows() (realm api.RealmID, member bool) {
	n.t.Helper()
	pin, err := trust.ReadPin(n.home.Pin())
	if err != nil && !errors.Is(err, trust.ErrUnclaimed) {
		n.t.Fatal(err)
	}
	_, err = trust.ReadMembership(n.home.Proof())
	if err != nil && !errors.Is(err, trust.ErrNoMembership) {
		n.t.Fatal(err)
	}
	return pin.Realm, err == nil
}

func TestPin(t *testing.T) {
	n := newNode(t)
	n.once()
	if realm, member := n.follows(); realm != "" || member {
		t.Errorf("without any owner: %q, member %v", realm, member)
	}
	key, err := keys.Create(filepath.Join(t.TempDir(), "owner.pem"))
	if err != nil {
		t.Fatal(err)
	}
	n.opts.Config.Owner = keys.PublicOf(key).String()
	n.once()
	if pin, err := trust.ReadPin(n.home.Pin()); err != nil || pin != trust.NewPin(keys.PublicOf(key)) {
		t.Errorf("got %+v, %v", pin, err)
	}
	if _, member := n.follows(); member {
		t.Error("it is a member, though nobody has signed that")
	}
}

func TestOwnersAccount(t *testing.T) {
	n := newNode(t)
	k := newAccount(t)
	n.once()
	if realm, member := n.follows(); realm != k.Realm() || !member {
		t.Errorf("follows %q, member %v", realm, member)
	}
	p, err := trust.ReadMembership(n.home.Proof())
	if err != nil {
		t.Fatal(err)
	}
	node, err := keys.Read(n.home.NodeKey())
	if err != nil {
		t.Fatal(err)
	}
	if s, err := intent.Read(p.Intents[0]); err != nil || s.Signer != k.Public() || s.Ref != owner.MemberRef(keys.PublicOf(node)) || s.Seq != 1 {
		t.Errorf("signed %+v, %v", s.Intent, err)
	}
}

// A key that is locked keeps no node down: it waits to be admitted, and says so once.
func TestLockedOwner(t *testing.T) {
	n := newNode(t)
	k := newAccount(t)
	s, err := k.Open("")
	if err != nil {
		t.Fatal(err)
	}
	if k, err = k.SetPassphrase(s, "secret"); err != nil {
		t.Fatal(err)
	}
	n.once()
	if realm, member := n.follows(); realm != k.Realm() || member {
		t.Errorf("follows %q, member %v", realm, member)
	}
	if out := n.out.String(); !strings.Contains(out, "locked") || !strings.Contains(out, "realm peers admit") {
		t.Errorf("told %q", out)
	}
	n.opts.Owner = func() (owner.Key, error) {
		return k.OrOpen(func() (owner.Secret, error) { return k.Open("secret") }), nil
	}
	n.once()
	if _, member := n.follows(); !member {
		t.Error("it is no member, though somebody typed the passphrase")
	}
	n.opts.Owner = func() (owner.Key, error) { return owner.Key{}, errors.New("nobody is to be asked again") }
	n.once()
}

func TestEnroll(t *testing.T) {
	n := newNode(t)
	key, err := keys.Create(filepath.Join(t.TempDir(), "owner.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pin := trust.NewPin(keys.PublicOf(key))
	tok, _, err := invite.New(key, pin, api.Invite{Expires: time.Now().Add(time.Hour)}, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	n.opts.Enroll = &tok
	n.once()
	if realm, member := n.follows(); realm != pin.Realm || member {
		t.Errorf("follows %q, member %v", realm, member)
	}
	if _, err := os.Stat(n.home.EnrollToken()); err != nil {
		t.Error(err)
	}
	// As meshd leaves the home when a member has let the node in.
	if err := errors.Join(os.Remove(n.home.EnrollToken()), trust.WriteMembership(n.home.Proof(), api.Proof{Realm: pin.Realm})); err != nil {
		t.Fatal(err)
	}
	n.once()
	if _, err := os.Stat(n.home.EnrollToken()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a member got a token: %v", err)
	}
}

// A token and settings that name somebody else leave the node nobody's.
func TestEnrollBesideAnotherOwner(t *testing.T) {
	n := newNode(t)
	key, err := keys.Create(filepath.Join(t.TempDir(), "owner.pem"))
	if err != nil {
		t.Fatal(err)
	}
	tok, _, err := invite.New(key, trust.NewPin(keys.PublicOf(key)), api.Invite{Expires: time.Now().Add(time.Hour)}, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	n.opts.Enroll, n.opts.Config.Owner = &tok, newAccount(t).Public().String()
	n.start()
	if err := n.ended(); !errors.Is(err, owner.ErrOtherOwner) || !strings.Contains(err.Error(), string(tok.Realm)) {
		t.Errorf("got %v", err)
	}
	if realm, _ := n.follows(); realm != "" {
		t.Errorf("it follows %s", realm)
	}
}

func TestSomeDaemons(t *testing.T) {
	n := newNode(t)
	n.opts.Daemons = []api.Daemon{api.Casd, api.Gatewayd}
	n.up()
	ps := n.ps(n.cli())
	if len(ps.Daemons) != 2 || ps.Daemons[0].Daemon != api.Casd || ps.Daemons[1].Daemon != api.Gatewayd {
		t.Errorf("it runs %+v", ps.Daemons)
	}
}
