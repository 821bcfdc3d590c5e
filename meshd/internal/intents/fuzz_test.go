package intents

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

// fuzzRealm is the same in every run, for the corpus.
func fuzzRealm() *meshtest.Realm {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	return &meshtest.Realm{Key: key, Pin: trust.NewPin(keys.PublicOf(key))}
}

// FuzzLog opens a log of any bytes. What is taken survives, and more can be added.
func FuzzLog(f *testing.F) {
	w := &world{Realm: fuzzRealm()}
	header, err := headerOf(w.Pin)
	if err != nil {
		f.Fatal(err)
	}
	one, two := w.component(f, "a", 1, api.Digest{}), w.component(f, "b", 1, api.Digest{})
	whole := append(append(append([]byte(nil), header...), append(one.Envelope, '\n')...), append(two.Envelope, '\n')...)
	batch := append(append(append([]byte(nil), header...), headOf(2)...), whole[len(header):]...)
	for _, b := range [][]byte{nil, header, whole, whole[:len(whole)-3], append(whole, "x\ny\n"...), append(header, "x\n"...),
		batch, batch[:len(batch)-3], append(batch, headOf(3)...), append(batch[:len(header):len(header)], "{\"together\":0}\n"...)} {
		f.Add(b)
	}
	more := w.component(f, "more", 1, api.Digest{})
	f.Fuzz(func(t *testing.T, b []byte) {
		w := &world{Realm: w.Realm, path: filepath.Join(t.TempDir(), "intents.log")}
		if err := os.WriteFile(w.path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := Open(w.config(w.Pin))
		if err != nil {
			return
		}
		accept(t, k, more)
		held := k.Ledger()
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
		sameSet(t, w.open(t).Ledger(), held)
	})
}

// FuzzLook judges anything that gossip may bring: it takes nothing.
func FuzzLook(f *testing.F) {
	w := &world{Realm: fuzzRealm(), path: filepath.Join(f.TempDir(), "intents.log")}
	k := w.open(f)
	known := w.component(f, "known", 1, api.Digest{})
	accept(f, k, known)
	for _, b := range [][]byte{known.Envelope, w.component(f, "new", 1, api.Digest{}).Envelope, []byte(`{"payload":"e30="}`), []byte("{}"), nil} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := k.Look(b)
		if err == nil && (s.Signer != w.Pin.Owner || s.Validate() != nil && s.ValidateHeader() != nil) {
			t.Fatalf("%+v is taken for an intent", s)
		}
		if k.Ledger().Len() != 1 {
			t.Fatal("something has come in")
		}
		if _, ok := k.Ledger().Current(known.Ref, time.Now()); !ok {
			t.Fatal("something is gone")
		}
	})
}
