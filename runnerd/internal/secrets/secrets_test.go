package secrets

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/secret"
)

func key(n byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return ed25519.NewKeyFromSeed(seed)
}

func peer(n byte) api.PeerID { return keys.Peer(keys.PublicOf(key(n)).Key()) }

var (
	owner = key(0)
	realm = api.NewRealmID(owner.Public().(ed25519.PublicKey))
)

const value = "a planted value"

// world is a realm with desks on some of its members.
type world struct {
	t       *testing.T
	secrets map[api.Name]intent.Signed
	forbid  map[keys.Public]error
	roles   map[api.PeerID][]string // of members
	odd     map[api.PeerID]bool     // clients, and keys that several nodes use
	desks   map[api.PeerID]*Desk
	asked   []api.PeerID
}

func newWorld(t *testing.T, members ...byte) *world {
	w := &world{t: t, secrets: map[api.Name]intent.Signed{}, forbid: map[keys.Public]error{}, roles: map[api.PeerID][]string{}, odd: map[api.PeerID]bool{}, desks: map[api.PeerID]*Desk{}}
	for _, n := range members {
		w.join(n)
	}
	return w
}

func (w *world) join(n byte, roles ...string) *Desk {
	w.roles[peer(n)] = roles
	w.desks[peer(n)] = New(Config{Self: peer(n), Key: key(n), Dir: filepath.Join(w.t.TempDir(), "secrets"), Realm: w, Peers: from{w, peer(n)}, Log: slog.New(slog.DiscardHandler)})
	return w.desks[peer(n)]
}

// set signs a secret, sealed to some.
func (w *world) set(n api.Name, text string, target api.Target, to ...byte) {
	w.t.Helper()
	var peers []api.PeerID
	for _, n := range to {
		peers = append(peers, peer(n))
	}
	s, err := secret.Seal(realm, n, []byte(text), peers)
	w.check(err)
	w.sign(n, target, s)
}

func (w *world) sign(n api.Name, target api.Target, s *api.Secret) {
	w.t.Helper()
	body, err := json.Marshal(s)
	w.check(err)
	in := api.Intent{Realm: realm, Ref: api.Ref{Kind: api.KindSecret, Name: n}, Seq: w.secrets[n].Seq + 1, Issued: time.Unix(1, 0).UTC(), Target: target, Body: body}
	if in.Seq > 1 {
		in.Prev = w.secrets[n].Digest
	}
	w.secrets[n], err = intent.Sign(in, owner)
	w.check(err)
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) Realm() (api.RealmID, bool) { return realm, true }

func (w *world) Secret(n api.Name) (intent.Signed, bool) { s, ok := w.secrets[n]; return s, ok }

func (w *world) May(k keys.Public, _ api.Right, _ api.Name) error { return w.forbid[k] }

func (w *world) Meant(p api.PeerID, _ []string, target api.Target) bool {
	roles, member := w.roles[p]
	return member && target.Matches(p, roles)
}

// from are the members as one of them sees the others.
type from struct {
	*world
	self api.PeerID
}

func (f from) Up(want []api.PeerID) []api.PeerID {
	out := slices.Clone(want)
	for _, p := range slices.Sorted(maps.Keys(f.desks)) {
		if p != f.self && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return slices.DeleteFunc(out, func(p api.PeerID) bool { return p == f.self || f.desks[p] == nil })
}

func (f from) Roles(p api.PeerID) ([]string, bool) { return nil, !f.odd[p] }

func (f from) Ask(_ context.Context, p api.PeerID, a *api.SecretAsk) (*api.SecretGiven, error) {
	f.asked = append(f.asked, p)
	return f.desks[p].Answer(f.self, a)
}

var uses = []api.SecretUse{{Name: "db", Env: "DB"}, {Name: "db", File: "/run/secrets/db"}}

func (w *world) give(n byte) (Given, error) {
	return w.desks[peer(n)].Give(w.t.Context(), keys.PublicOf(owner), uses)
}

func (w *world) gives(n byte, want string) {
	w.t.Helper()
	g, err := w.give(n)
	if err != nil || g.Env["DB"] != want || string(g.Files["/run/secrets/db"]) != want {
		w.t.Errorf("%+v, %v, want %q", g, err, want)
	}
}

func (w *world) refuses(n byte, words string, refusal bool) {
	w.t.Helper()
	g, err := w.give(n)
	if err == nil || !strings.Contains(err.Error(), words) || errors.Is(err, ErrRefused) != refusal || len(g.Env)+len(g.Files) > 0 {
		w.t.Errorf("%+v, %v, want %q, a refusal: %v", g, err, words, refusal)
	}
	if err != nil && strings.Contains(err.Error(), value) {
		w.t.Errorf("the error tells it: %v", err)
	}
}

// TestPassedOn: from who has it to who is meant, on from there, and kept over a start.
func TestPassedOn(t *testing.T) {
	w := newWorld(t, 1, 2)
	w.set("db", value, api.Target{}, 1)
	w.gives(1, value)
	w.gives(2, value)
	w.join(3)
	delete(w.desks, peer(1)) // who has set it is gone
	w.gives(3, value)
	kept := w.desks[peer(3)].Dir
	again := w.join(3)
	again.Dir = kept
	delete(w.desks, peer(2))
	w.gives(3, value)
	files, err := os.ReadDir(kept)
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	raw, err := os.ReadFile(filepath.Join(kept, files[0].Name()))
	if err != nil || bytes.Contains(raw, []byte(value)) || bytes.Contains(raw, []byte("AGE-SECRET-KEY")) {
		t.Errorf("%s, %v", raw, err)
	}

	w.set("db", "the next one", api.Target{}, 3)
	w.gives(3, "the next one")
	again.Tidy()
	if files, _ := os.ReadDir(kept); len(files) != 0 {
		t.Errorf("keys of versions before are kept: %v", files)
	}
}

func TestRefused(t *testing.T) {
	w := newWorld(t, 1, 2)
	w.refuses(1, "there is no such secret: realm secret set db", true)
	w.set("db", value, api.Target{Peers: []api.PeerID{peer(1)}}, 1)
	w.gives(1, value)
	w.refuses(2, "it is meant for other members", true)
	w.forbid[keys.PublicOf(owner)] = errors.New("its grant does not say secret")
	w.refuses(1, "its grant does not say secret", true)
	delete(w.forbid, keys.PublicOf(owner))
	w.set("db", value, api.Target{}, 1)
	delete(w.desks, peer(1))
	w.refuses(2, "no member that may have its key is up", false)
	w.set("db", "a\x00b", api.Target{}, 2)
	w.refuses(2, "it holds a NUL", true)
}

// TestAnswer: a key is given to members that are meant, for the version that counts, and for
// nothing that only looks like a secret.
func TestAnswer(t *testing.T) {
	w := newWorld(t, 1, 2)
	w.join(3, "edge")
	w.set("db", value, api.Target{Tags: []string{"edge"}}, 3)
	holder := w.desks[peer(3)]
	ask := func(p byte, name api.Name, d api.Digest) error {
		_, err := holder.Answer(peer(p), &api.SecretAsk{Name: name, Intent: d})
		return err
	}
	is := w.secrets["db"].Digest
	if err := ask(2, "db", is); err == nil {
		t.Error("given to a member without the role")
	}
	w.roles[peer(2)] = []string{"edge"}
	w.check(ask(2, "db", is))
	w.odd[peer(2)] = true
	if err := ask(2, "db", is); err == nil {
		t.Error("given to a client, or to a key that several nodes use")
	}
	delete(w.odd, peer(2))
	delete(w.roles, peer(2))
	if err := ask(2, "db", is); err == nil {
		t.Error("given to one that was revoked")
	}
	w.roles[peer(2)] = []string{"edge"}
	if err := ask(2, "db", api.Sum(nil)); err == nil {
		t.Error("given for another version")
	}
	stolen := new(api.Secret)
	w.check(json.Unmarshal(w.secrets["db"].Body, stolen))
	w.sign("mine", api.Target{}, stolen)
	if err := ask(1, "mine", w.secrets["mine"].Digest); err == nil {
		t.Error("given for a copy under another name")
	}
	if g, err := holder.Give(t.Context(), keys.PublicOf(owner), []api.SecretUse{{Name: "mine", Env: "X"}}); err == nil {
		t.Errorf("opened under another name: %v", g)
	}
}

// TestLied: who gives another key is passed over.
func TestLied(t *testing.T) {
	w := newWorld(t, 1, 2, 3)
	w.set("db", value, api.Target{}, 1)
	w.gives(2, value)
	other := newWorld(t, 1)
	other.set("db", "forged", api.Target{}, 1)
	other.desks[peer(1)].Realm = forger{other, w}
	w.desks[peer(1)] = other.desks[peer(1)]
	w.gives(3, value) // from 2
}

// forger has another body under the digest that is asked for.
type forger struct {
	*world
	real *world
}

func (f forger) Secret(n api.Name) (intent.Signed, bool) {
	s := f.secrets[n]
	s.Digest = f.real.secrets[n].Digest
	return s, true
}

func (f forger) Meant(api.PeerID, []string, api.Target) bool { return true }
