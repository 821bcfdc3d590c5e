package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// newAccount is an account with an owner key.
func newAccount(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp("", "acc") // short: an agent's socket lies in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv(paths.EnvOwnerKey, filepath.Join(dir, "owner.pem"))
	if _, err := owner.Create(); err != nil {
		t.Fatal(err)
	}
}

const testPassphrase = "correct horse"

// sealKey encrypts the key file of the account, as realm key passphrase does, but
// cheaply.
func sealKey(t *testing.T) {
	t.Helper()
	path := os.Getenv(paths.EnvOwnerKey)
	plain, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to, err := age.NewScryptRecipient(testPassphrase)
	if err != nil {
		t.Fatal(err)
	}
	to.SetWorkFactor(4)
	head, _, _ := bytes.Cut(plain, []byte("-----BEGIN"))
	file := bytes.NewBuffer(slices.Clone(head))
	a := armor.NewWriter(file)
	w, err := age.Encrypt(a, to)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = errors.Join(w.Close(), a.Close())
	}
	if err == nil {
		err = os.WriteFile(path, file.Bytes(), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A command that signs with a locked key finds another way, or says which there are.
func TestPushWithLockedKey(t *testing.T) {
	m := newMesh(t)
	sealKey(t)
	t.Setenv("XDG_RUNTIME_DIR", filepath.Dir(os.Getenv(paths.EnvOwnerKey)))
	m.seq.After = func(in intent.Signed) {
		m.tell(in, peerA, api.StateRunning, "")
		m.tell(in, peerB, api.StateRunning, "")
	}
	push := []string{"push", "--name", "web", "--file", m.file}
	m.want(1, []string{"your owner key is locked", "realm key unlock", "--passphrase-file FILE", envPassphrase}, push...)

	file := filepath.Join(t.TempDir(), "passphrase")
	for text, code := range map[string]int{testPassphrase: 0, testPassphrase + "\n": 0, "wrong\n": 1} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m.want(code, nil, append(push, "--passphrase-file", file)...)
	}
	t.Setenv(envPassphrase, testPassphrase)
	m.want(0, []string{"component/web runs on 2 nodes"}, push...)
	m.want(0, []string{"unlocked until"}, "key", "unlock", "--for", "5m")
	t.Setenv(envPassphrase, "wrong: nobody asks for it")
	m.want(0, []string{"component/web runs on 2 nodes"}, push...)
	m.want(0, []string{"is locked"}, "key", "lock")
	m.want(1, []string{"wrong passphrase"}, push...)
}

func TestWithoutPassphrases(t *testing.T) {
	got := withoutPassphrases([]string{"A=1", envPassphrase + "=x", "B=" + envPassphrase, envNewPassphrase + "=", envPassphrase + "S=1"})
	if want := "A=1 B=" + envPassphrase + " " + envPassphrase + "S=1"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAnswer(t *testing.T) {
	broken := errors.New("broken")
	for name, read := range map[string]func() (string, error){
		"text":  func() (string, error) { return "text", nil },
		"error": func() (string, error) { return "text", broken },
	} {
		want, wantErr := read()
		if got, err := answer(t.Context(), read); got != want || !errors.Is(err, wantErr) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupted)
	stay := make(chan struct{})
	defer close(stay)
	if _, err := answer(ctx, func() (string, error) { <-stay; return "", nil }); !errors.Is(err, errInterrupted) {
		t.Errorf("interrupted: %v", err)
	}
}
