package contexts

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

var owner = keys.PublicOf(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))

const (
	member = "/ip4/192.0.2.7/udp/4001/quic-v1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"
	realm  = "qhaumhmcaksy4qtfjsvy75n6u4nrigre"
)

func full(t testing.TB) Context {
	abs, err := filepath.Abs("keys")
	if err != nil {
		t.Fatal(err)
	}
	return Context{Node: member, OwnerKey: filepath.Join(abs, "ci.pem"), Grant: filepath.Join(abs, "ci.grant"), Realm: realm, Owner: owner.String()}
}

func TestUpdate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "realm", "contexts.toml")
	if b, err := Read(path); err != nil || len(b.Contexts) != 0 {
		t.Errorf("at first: %+v, %v", b, err)
	}
	want := Book{Current: "ci", Contexts: map[string]Context{"ci": full(t), "shed": {}}}
	if err := Update(t.Context(), path, func(b *Book) error {
		b.Current, b.Contexts["ci"], b.Contexts["shed"] = "ci", full(t), Context{}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(path); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v\nwant %+v", got, err, want)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	for name, change := range map[string]func(*Book) error{
		"an error":           func(*Book) error { return stop },
		"a wrong context":    func(b *Book) error { b.Contexts["x"] = Context{Realm: realm}; return nil },
		"a name that is not": func(b *Book) error { b.Contexts["A B"] = Context{}; return nil },
		"no current one":     func(b *Book) error { delete(b.Contexts, "ci"); return nil },
	} {
		if err := Update(t.Context(), path, change); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("what was refused was written (%v)", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Update(ended, path, func(*Book) error { return nil }); err != nil {
		t.Errorf("nobody was to be waited for: %v", err)
	}
}

// Commands at the same time lose nothing of each other.
func TestUpdateTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "contexts.toml")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := Update(t.Context(), path, func(b *Book) error {
				b.Contexts[fmt.Sprint("c", i)] = Context{}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if b, err := Read(path); err != nil || len(b.Contexts) != 8 {
		t.Errorf("%v, %v", b.Names(), err)
	}
}

func TestRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"current = 'x'": "no such context",
		"[contexts.a]\nhome = '/h'\nnode = '" + member + "'":          "which of them",
		"[contexts.a]\nnode = '/ip4/192.0.2.7/tcp/1'":                 "/p2p/PEER",
		"[contexts.a]\nowner_key = 'mine.pem'":                        "absolute path",
		"[contexts.a]\nrealm = '" + realm + "'":                       "give both",
		"[contexts.a]\nrealm = 'x'\nowner = '" + owner.String() + "'": "realm id",
		"[contexts.a]\nowner = 'me'":                                  "owner",
		"[contexts.A]":                                                "context: name",
		"[contexts.a]\nhme = '/h'":                                    "hme",
		"contexts = 1":                                                "",
		"#" + strings.Repeat("x", maxFile):                            "too large",
	} {
		path := filepath.Join(t.TempDir(), "contexts.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%.60q: %v; want %q", text, err, want)
		}
	}
	if _, err := Read(t.TempDir()); err == nil {
		t.Error("read a folder")
	}
}

func TestGet(t *testing.T) {
	b := Book{}
	for _, names := range [][]string{nil, {"a"}, {"b", "a"}} {
		b.Contexts = map[string]Context{}
		for _, n := range names {
			b.Contexts[n] = Context{}
		}
		_, err := b.Get("x")
		slices.Sort(names)
		if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), strings.Join(names, ", ")) {
			t.Errorf("among %v: %v", names, err)
		}
	}
	if _, err := b.Get("a"); err != nil {
		t.Error(err)
	}
}

func TestPin(t *testing.T) {
	for c, want := range map[Context]trust.Pin{
		{}:                                    {},
		{Owner: owner.String()}:               trust.NewPin(owner),
		{Owner: owner.String(), Realm: realm}: {Realm: realm, Owner: owner},
	} {
		if pin, ok, err := c.Pin(); err != nil || ok != (c.Owner != "") || pin != want {
			t.Errorf("%+v: %+v, %v, %v", c, pin, ok, err)
		}
	}
}

// FuzzParse reads a file of any bytes. One that is taken says the same after being written.
func FuzzParse(f *testing.F) {
	whole, err := toml.Marshal(Book{Current: "ci", Contexts: map[string]Context{"ci": full(f)}})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", string(whole), "[contexts.a]\nhome='/h'", "current='a'\n[contexts]\na={}", "[contexts]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := parse([]byte(text))
		if err != nil {
			return
		}
		raw, err := toml.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse(raw)
		if err != nil || again.Current != b.Current || !slices.Equal(again.Names(), b.Names()) {
			t.Fatalf("%q: %+v, written and read %+v, %v", text, b, again, err)
		}
		for _, name := range b.Names() {
			if b.Contexts[name] != again.Contexts[name] {
				t.Fatalf("%q: %+v, %+v", text, b, again)
			}
		}
	})
}
