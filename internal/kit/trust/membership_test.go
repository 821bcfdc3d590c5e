package trust

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
)

func TestMembership(t *testing.T) {
	path := filepath.Join(t.TempDir(), "membership.json")
	if _, err := ReadMembership(path); !errors.Is(err, ErrNoMembership) {
		t.Errorf("without a file: %v", err)
	}
	p := api.Proof{Realm: "qhaumhmcaksy4qtfjsvy75n6u4nrigre", Intents: [][]byte{[]byte("one"), []byte("two")}}
	if err := WriteMembership(path, p); err != nil {
		t.Fatal(err)
	}
	if got, err := ReadMembership(path); err != nil || !reflect.DeepEqual(got, p) {
		t.Errorf("read %+v, %v", got, err)
	}
	if fi, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	for name, bad := range map[string]string{
		"empty":         "",
		"no realm":      `{"intents":[]}`,
		"unknown field": `{"realm":"qhaumhmcaksy4qtfjsvy75n6u4nrigre","also":1}`,
		"too large":     `{"realm":"qhaumhmcaksy4qtfjsvy75n6u4nrigre"}` + strings.Repeat(" ", maxMembership),
	} {
		write(t, path, []byte(bad))
		if got, err := ReadMembership(path); err == nil || errors.Is(err, ErrNoMembership) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := ReadMembership(t.TempDir()); err == nil || errors.Is(err, ErrNoMembership) {
		t.Errorf("a folder: %v", err)
	}
	if err := WriteMembership(path, api.Proof{}); err == nil {
		t.Error("wrote one of no realm")
	}
}
