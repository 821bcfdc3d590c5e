package owner

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

func TestClaim(t *testing.T) {
	other := newKey(t)
	mine := newKey(t) // what $REALM_OWNER_KEY says from here on

	h := newHome(t)
	pin, err := Claim(h, "")
	if err != nil || pin.Owner != mine.Public() || pin.Realm != mine.Realm() {
		t.Errorf("by the key of the account: %v %v", pin, err)
	}
	if stored, err := trust.ReadPin(h.Pin()); err != nil || stored != pin {
		t.Errorf("stored %v %v", stored, err)
	}

	configured := newHome(t)
	if pin, err := Claim(configured, other.Public().String()); err != nil || pin.Owner != other.Public() {
		t.Errorf("settings come before the account: %v %v", pin, err)
	}
	if pin, err := Claim(configured, ""); err != nil || pin.Owner != other.Public() {
		t.Errorf("a pin stays: %v %v", pin, err)
	}
	_, err = Claim(configured, mine.Public().String())
	if !errors.Is(err, ErrOtherOwner) || !strings.Contains(err.Error(), other.Public().String()) {
		t.Errorf("another owner: %v", err)
	}
	if pin, _ := trust.ReadPin(configured.Pin()); pin.Owner != other.Public() {
		t.Error("the pin has changed")
	}

	t.Setenv(paths.EnvOwnerKey, filepath.Join(t.TempDir(), "none.pem"))
	unclaimed := newHome(t)
	if _, err := Claim(unclaimed, ""); !errors.Is(err, trust.ErrUnclaimed) {
		t.Errorf("without any key: %v", err)
	}
	if _, err := os.Stat(unclaimed.Pin()); err == nil {
		t.Error("a pin was written without a key")
	}
	if _, err := Claim(unclaimed, "ed25519:nonsense"); err == nil || errors.Is(err, trust.ErrUnclaimed) {
		t.Errorf("a key that is none: %v", err)
	}
}

func TestMaySign(t *testing.T) {
	a, b := newKey(t), newKey(t)
	if err := a.MaySign(trust.NewPin(a.Public())); err != nil {
		t.Error(err)
	}
	if err := a.MaySign(trust.NewPin(b.Public())); !errors.Is(err, ErrOtherOwner) || !strings.Contains(err.Error(), paths.EnvOwnerKey) {
		t.Errorf("got %v", err)
	}
}
