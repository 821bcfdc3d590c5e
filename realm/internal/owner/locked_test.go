package owner

import (
	"crypto"
	"crypto/ed25519"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/realm/internal/keyagent"
)

// sign signs something by k, and checks it as a node would.
func sign(k Key) error {
	msg := []byte("what is to be signed")
	sig, err := k.Signer().Sign(nil, msg, crypto.Hash(0))
	if err != nil {
		return err
	}
	if !ed25519.Verify(k.Public().Key(), msg, sig) {
		return errors.New("the signature is of another key")
	}
	return nil
}

func unlock(t *testing.T, k Key, life time.Duration) {
	t.Helper()
	_, err := keyagent.Start(t.Context(), keyagent.Options{Key: open(t, k, passphrase).Private, KeyFile: k.Path, Life: life,
		Args: []string{agentName}, Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock(t, k) })
}

func lock(t *testing.T, k Key) (was bool) {
	t.Helper()
	agent, err := k.Agent()
	if err == nil {
		was, err = agent.Lock()
	}
	if err != nil {
		t.Error(err)
	}
	return was
}

// A locked key is known, and does not sign.
func TestLockedKey(t *testing.T) {
	k := account(t, sealedFile(t, Secret{fixed, older}))
	if k.Public() != keys.PublicOf(fixed) || k.Realm() != older || keys.PublicOf(k.Signer()) != k.Public() {
		t.Errorf("%s of %s", k.Public(), k.Realm())
	}
	for name, err := range map[string]error{"sign": sign(k), "ready": k.Ready()} {
		if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "realm key unlock") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := k.Open("wrong"); !errors.Is(err, ErrPassphrase) || !strings.Contains(err.Error(), k.Path) {
		t.Errorf("wrong passphrase: %v", err)
	}
}

// The other way to the private half is asked once, and only when it is needed.
func TestOrOpen(t *testing.T) {
	k := account(t, sealedFile(t, Secret{fixed, older}))
	asked := 0
	k = k.OrOpen(func() (Secret, error) {
		asked++
		return k.Open(passphrase)
	})
	if asked != 0 {
		t.Error("asked before there was something to sign")
	}
	for range 3 {
		if err := errors.Join(k.Ready(), sign(k)); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	broken := errors.New("no terminal")
	if err := sign(k.OrOpen(func() (Secret, error) { return Secret{}, broken })); !errors.Is(err, broken) {
		t.Errorf("nobody to ask: %v", err)
	}
	plain := account(t, mustFile(t, Secret{Private: fixed})).OrOpen(func() (Secret, error) { return Secret{}, broken })
	if err := errors.Join(plain.Ready(), sign(plain)); err != nil {
		t.Errorf("a plain key was asked for: %v", err)
	}
}

// While an agent holds the key nobody is asked; after that somebody is.
func TestUnlockedKey(t *testing.T) {
	k := account(t, sealedFile(t, Secret{fixed, older}))
	asked := 0
	k = k.OrOpen(func() (Secret, error) {
		asked++
		return Secret{}, ErrLocked
	})
	unlock(t, k, time.Minute)
	if err := errors.Join(k.Ready(), sign(k), sign(load(t))); err != nil || asked != 0 {
		t.Errorf("unlocked: %v, asked %d times", err, asked)
	}
	if !lock(t, k) {
		t.Error("there was no agent")
	}
	if err := sign(k); !errors.Is(err, ErrLocked) || asked != 1 {
		t.Errorf("locked again: %v, asked %d times", err, asked)
	}
}

// An agent that still holds the key of before is of no use to the one after it.
func TestReplaceEndsTheAgent(t *testing.T) {
	k := account(t, sealedFile(t, Secret{Private: fixed}))
	unlock(t, k, time.Minute)
	next, err := k.replace(Secret{another, first}, sealing{passphrase, lowWork})
	if err != nil {
		t.Fatal(err)
	}
	if lock(t, k) {
		t.Error("the agent of the old key goes on")
	}
	if err := sign(next); !errors.Is(err, ErrLocked) {
		t.Errorf("the new key: %v", err)
	}
	if got := open(t, next, passphrase); !got.Private.Equal(another) {
		t.Error("another key")
	}
}

func TestSignerOfAPlainKey(t *testing.T) {
	k := account(t, mustFile(t, Secret{Private: fixed}))
	if _, err := k.Signer().Sign(nil, []byte("x"), crypto.Hash(0)); err != nil {
		t.Error(err)
	}
}
