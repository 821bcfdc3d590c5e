package trust

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

func TestPin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trust.json")
	if _, err := ReadPin(path); !errors.Is(err, ErrUnclaimed) || !strings.Contains(err.Error(), "realm init") {
		t.Errorf("without a pin: %v", err)
	}
	owner := keys.PublicOf(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
	pin := NewPin(owner)
	if pin.Owner != owner || pin.Realm != api.NewRealmID(owner.Key()) || pin.Validate() != nil {
		t.Errorf("pin %+v", pin)
	}
	if err := pin.Write(path); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadPin(path); err != nil || got != pin {
		t.Errorf("read %+v, %v", got, err)
	}
	fresh := path + ".new"
	if err := pin.Create(fresh); err != nil {
		t.Error(err)
	}
	if got, err := ReadPin(fresh); err != nil || got != pin {
		t.Errorf("created %+v, %v", got, err)
	}
	if err := pin.Create(fresh); !errors.Is(err, fs.ErrExist) {
		t.Errorf("created again: %v", err)
	}
	if fi, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"empty":         "",
		"no realm":      `{"owner":"` + owner.String() + `"}`,
		"no owner":      `{"realm":"` + string(pin.Realm) + `"}`,
		"bad owner":     strings.Replace(string(good), "ed25519:", "ed25519:!", 1),
		"bad realm":     strings.Replace(string(good), string(pin.Realm), "mine", 1),
		"unknown field": strings.Replace(string(good), "{", `{"also":1,`, 1),
		"two":           string(good) + string(good),
		"too large":     string(good) + strings.Repeat(" ", maxPin),
	} {
		write(t, path, []byte(bad))
		if got, err := ReadPin(path); err == nil || errors.Is(err, ErrUnclaimed) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	// A file that cannot be read is not the same as none: nobody may claim the node.
	if _, err := ReadPin(t.TempDir()); err == nil || errors.Is(err, ErrUnclaimed) {
		t.Errorf("a folder: %v", err)
	}
}
