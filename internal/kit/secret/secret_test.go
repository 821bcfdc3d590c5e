package secret

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

func key(n byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return ed25519.NewKeyFromSeed(seed)
}

func peer(n byte) api.PeerID { return keys.Peer(keys.PublicOf(key(n)).Key()) }

var realm = api.NewRealmID(key(0).Public().(ed25519.PublicKey))

const value = "a planted value that is easily found"

func sealed(t testing.TB, name api.Name, to ...byte) *api.Secret {
	t.Helper()
	var peers []api.PeerID
	for _, n := range to {
		peers = append(peers, peer(n))
	}
	s, err := Seal(realm, name, []byte(value), peers)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestPassedOn: who it was sealed to reads it, and whom that one gives the key; others do not.
func TestPassedOn(t *testing.T) {
	s := sealed(t, "db", 1, 2)
	if raw, err := json.Marshal(s); err != nil || bytes.Contains(raw, []byte(value)) || len(raw) > api.MaxEnvelope {
		t.Errorf("%s, %v", raw, err)
	}
	k, err := Own(s, key(2))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Open(s, realm, "db"); err != nil || string(got) != value {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := Own(s, key(3)); !errors.Is(err, ErrNotFor) {
		t.Errorf("%v", err)
	}
	given, err := k.For(peer(3))
	if err != nil {
		t.Fatal(err)
	}
	late, err := Unseal(s, given, key(3))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := late.Open(s, realm, "db"); err != nil || string(got) != value {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := Unseal(s, given, key(4)); err == nil {
		t.Error("another member opens it")
	}
}

// TestCopied: what is of one secret or version is of no use in another.
func TestCopied(t *testing.T) {
	db, mine := sealed(t, "db", 1), sealed(t, "mine", 1)
	k, err := Own(db, key(1))
	if err != nil {
		t.Fatal(err)
	}
	copied := &api.Secret{Recipient: db.Recipient, Data: db.Data, Keys: db.Keys}
	if _, err := k.Open(copied, realm, "mine"); !errors.Is(err, ErrWrong) {
		t.Errorf("under another name: %v", err)
	}
	if _, err := k.Open(db, api.NewRealmID(key(9).Public().(ed25519.PublicKey)), "db"); !errors.Is(err, ErrWrong) {
		t.Errorf("in another realm: %v", err)
	}
	mixed := &api.Secret{Recipient: mine.Recipient, Data: mine.Data, Keys: db.Keys}
	if _, err := Own(mixed, key(1)); !errors.Is(err, ErrWrong) {
		t.Errorf("the key of another: %v", err)
	}
	other := sealed(t, "db", 1)
	if _, err := k.Open(other, realm, "db"); err == nil {
		t.Error("the key of one version opens another")
	}
}

func TestSealRefuses(t *testing.T) {
	if _, err := Seal(realm, "db", make([]byte, api.MaxSecret+1), []api.PeerID{peer(1)}); err == nil {
		t.Error("it is too long")
	}
	for _, to := range [][]api.PeerID{nil, {"me"}, {peer(1), peer(1)}} {
		if _, err := Seal(realm, "db", nil, to); err == nil {
			t.Errorf("sealed to %v", to)
		}
	}
}

// TestLargestFits: a value as long as may be, sealed to as many as may be, fits an envelope
// with all that is around it.
func TestLargestFits(t *testing.T) {
	var to []api.PeerID
	for n := range api.MaxSecretKeys {
		to = append(to, peer(byte(n+1)))
	}
	s, err := Seal(realm, api.Name(strings.Repeat("n", 63)), make([]byte, api.MaxSecret), to)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(s)
	if most := (api.MaxEnvelope - 8<<10) * 3 / 4; err != nil || len(raw) > most { // the envelope has it in base64, and a grant beside it
		t.Errorf("%d bytes, want %d, %v", len(raw), most, err)
	}
}

func FuzzOpen(f *testing.F) {
	s := sealed(f, "db", 1)
	f.Add(s.Data, s.Keys[0].Sealed)
	k, err := Own(s, key(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data, sealedKey []byte) {
		bad := &api.Secret{Recipient: s.Recipient, Data: data, Keys: []api.SecretKey{{Peer: peer(1), Sealed: sealedKey}}}
		if got, err := k.Open(bad, realm, "db"); err == nil && !bytes.Equal(data, s.Data) {
			t.Errorf("%q was opened", got)
		}
		if _, err := Own(bad, key(1)); err == nil && !bytes.Equal(sealedKey, s.Keys[0].Sealed) {
			t.Error("another key was opened")
		}
	})
}
