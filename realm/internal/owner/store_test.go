package owner

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"filippo.io/age/armor"
	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// account makes f the key file of this test's account.
func account(t *testing.T, f file) Key {
	t.Helper()
	dir, err := os.MkdirTemp("", "ow") // short: an agent's socket lies in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "owner.pem")
	t.Setenv(paths.EnvOwnerKey, path)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	if err := os.WriteFile(path, f.raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return load(t)
}

func load(t *testing.T) Key {
	t.Helper()
	k, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func open(t *testing.T, k Key, pass string) Secret {
	t.Helper()
	s, err := k.Open(pass)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func files(t *testing.T, k Key) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(k.Path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return strings.Join(names, " ")
}

func onlyOurs(t *testing.T, path string) {
	t.Helper()
	if fi, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", path, fi.Mode(), err)
	}
}

func TestSave(t *testing.T) {
	for name, tt := range map[string]struct {
		secret Secret
		pass   string
	}{
		"plain":  {Secret{Private: fixed}, ""},
		"sealed": {Secret{fixed, older}, passphrase},
	} {
		t.Setenv(paths.EnvOwnerKey, filepath.Join(t.TempDir(), "sub", "owner.pem"))
		k, err := save(tt.secret, sealing{tt.pass, lowWork})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		onlyOurs(t, k.Path)
		want := tt.secret.Realm
		if want == "" {
			want = first
		}
		read := load(t)
		if read.Public() != k.Public() || read.Realm() != want || k.Realm() != want || read.Sealed() != (tt.pass != "") || k.Sealed() != read.Sealed() {
			t.Errorf("%s: %s of %s, sealed %v", name, read.Public(), read.Realm(), read.Sealed())
		}
		if got := open(t, read, tt.pass); !got.Private.Equal(fixed) || got.Realm != want {
			t.Errorf("%s: opened %s", name, got.Realm)
		}
		if _, err := Save(Secret{Private: another}, ""); !errors.Is(err, fs.ErrExist) || load(t).Public() != k.Public() {
			t.Errorf("%s: saved over it: %v", name, err)
		}
	}
}

// Whoever has the file must work for every guess.
func TestSealsDearly(t *testing.T) {
	k := account(t, mustFile(t, Secret{fixed, older}))
	k, err := k.SetPassphrase(open(t, k, ""), passphrase)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(armor.NewReader(bytes.NewReader(load(t).file.sealed)))
	if err != nil || !regexp.MustCompile(`-> scrypt \S+ 18\n`).Match(b) {
		t.Errorf("%v, %q", err, b)
	}
	if !k.Sealed() {
		t.Error("not sealed")
	}
}

// Of many that make a key at once, one succeeds.
func TestSaveOnce(t *testing.T) {
	t.Setenv(paths.EnvOwnerKey, filepath.Join(t.TempDir(), "owner.pem"))
	var g errgroup.Group
	made := make(chan Key, 8)
	for range 8 {
		g.Go(func() error {
			k, err := Create()
			if err == nil {
				made <- k
			} else if !errors.Is(err, fs.ErrExist) {
				return err
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(made) != 1 || load(t).Public() != (<-made).Public() {
		t.Error("two keys were made")
	}
}

func TestSetPassphrase(t *testing.T) {
	k := account(t, mustFile(t, Secret{fixed, older}))
	for _, step := range []struct{ old, next string }{{"", "first"}, {"first", "second"}, {"second", ""}} {
		before := k
		var err error
		if k, err = k.reseal(open(t, k, step.old), sealing{step.next, lowWork}); err != nil {
			t.Fatal(err)
		}
		read := load(t)
		if read.Public() != keys.PublicOf(fixed) || read.Realm() != older || read.Sealed() != (step.next != "") {
			t.Errorf("to %q: %s of %s, sealed %v", step.next, read.Public(), read.Realm(), read.Sealed())
		}
		if got := open(t, read, step.next); !got.Private.Equal(fixed) {
			t.Errorf("to %q: another key", step.next)
		}
		if step.next != "" && step.old != "" {
			if _, err := read.Open(step.old); !errors.Is(err, ErrPassphrase) {
				t.Errorf("the old passphrase: %v", err)
			}
		}
		onlyOurs(t, k.Path)
		if got := files(t, k); got != "owner.pem" {
			t.Errorf("beside it: %s", got)
		}
		if _, err := before.SetPassphrase(Secret{fixed, older}, ""); err == nil || !strings.Contains(err.Error(), "meanwhile") {
			t.Errorf("over a file that has changed: %v", err)
		}
	}
	for name, s := range map[string]Secret{"another key": {another, older}, "another realm": {fixed, first}} {
		if _, err := k.SetPassphrase(s, ""); err == nil || load(t).Public() != k.Public() {
			t.Errorf("%s was written: %v", name, err)
		}
	}
}

// A reader at any time finds a key file, the old or the new.
func TestNeverWithoutAKeyFile(t *testing.T) {
	k := account(t, mustFile(t, Secret{Private: fixed}))
	stop := make(chan struct{})
	var readers errgroup.Group
	readers.Go(func() error {
		for {
			select {
			case <-stop:
				return nil
			default:
			}
			if _, err := Load(); err != nil {
				return err
			}
		}
	})
	for i := range 40 {
		next := Secret{another, first}
		if i%2 == 1 {
			next.Private = fixed
		}
		var err error
		if k, err = k.Replace(next, ""); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if err := readers.Wait(); err != nil {
		t.Error(err)
	}
}

func TestReplace(t *testing.T) {
	k := account(t, mustFile(t, Secret{Private: fixed}))
	old := k.file.raw
	next, err := k.Replace(Secret{another, k.Realm()}, "")
	if err != nil {
		t.Fatal(err)
	}
	if read := load(t); read.Public() != keys.PublicOf(another) || read.Realm() != first || next.Public() != read.Public() || next.Realm() != first {
		t.Errorf("%s of %s", read.Public(), read.Realm())
	}
	retired := paths.RetiredOwnerKey(k.Path, 1)
	if b, err := os.ReadFile(retired); err != nil || !bytes.Equal(b, old) {
		t.Errorf("the old key: %v", err)
	}
	onlyOurs(t, k.Path)
	onlyOurs(t, retired)

	third, err := next.Replace(Secret{ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32)), first}, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := files(t, third); got != "owner.pem owner.pem.retired-1 owner.pem.retired-2" {
		t.Errorf("files %s", got)
	}
	if err := sign(third); err != nil || third.Realm() != first {
		t.Errorf("the third key, of %s: %v", third.Realm(), err)
	}
}

func TestReplaceRefuses(t *testing.T) {
	plain, locked := mustFile(t, Secret{Private: fixed}), sealedFile(t, Secret{Private: fixed})
	for name, tt := range map[string]struct {
		file file
		next Secret
		text string
	}{
		"without a realm":   {plain, Secret{Private: another}, "for which realm"},
		"by itself":         {plain, Secret{fixed, first}, "by itself"},
		"sealed by a plain": {locked, Secret{another, first}, "so must the new one"},
	} {
		k := account(t, tt.file)
		if _, err := k.Replace(tt.next, ""); err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v", name, err)
		}
		if load(t).Public() != k.Public() || files(t, k) != "owner.pem" {
			t.Errorf("%s: done: %s", name, files(t, k))
		}
	}
	k := account(t, plain)
	if err := os.WriteFile(k.Path, locked.raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Replace(Secret{another, first}, ""); err == nil || !strings.Contains(err.Error(), "meanwhile") || files(t, k) != "owner.pem" {
		t.Errorf("a file that has changed: %v", err)
	}
}

// A replacement that was cut short after the copy goes on where it was.
func TestReplaceAgain(t *testing.T) {
	k := account(t, mustFile(t, Secret{Private: fixed}))
	if err := k.retire(k.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Replace(Secret{another, first}, ""); err != nil {
		t.Fatal(err)
	}
	if got := files(t, k); got != "owner.pem owner.pem.retired-1" {
		t.Errorf("files %s", got)
	}
}

// A file that is a link stays one: the key may lie on a stick.
func TestReplaceBehindALink(t *testing.T) {
	k := account(t, mustFile(t, Secret{Private: fixed}))
	stick := filepath.Join(t.TempDir(), "key.pem")
	if err := os.Rename(k.Path, stick); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(stick, k.Path); err != nil {
		t.Fatal(err)
	}
	if _, err := load(t).Replace(Secret{another, first}, ""); err != nil {
		t.Fatal(err)
	}
	if to, err := os.Readlink(k.Path); err != nil || to != stick {
		t.Errorf("the link leads to %s, %v", to, err)
	}
	if load(t).Public() != keys.PublicOf(another) {
		t.Error("the key is the old one")
	}
	if _, err := os.Stat(paths.RetiredOwnerKey(stick, 1)); err != nil {
		t.Error(err)
	}
}
