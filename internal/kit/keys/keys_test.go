package keys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/realm-mesh/realm/api"
)

// fixed is a key that is the same in every run.
var fixed = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// The text forms of a known key: they are on people's disks and in their notes.
func TestTextForms(t *testing.T) {
	pub := PublicOf(fixed)
	if got, want := pub.String(), "ed25519:4zvwRjXUKGfvwnParsHAS3HuSVzV5cA4McphgmoCtajS"; got != want {
		t.Errorf("public key %s, want %s", got, want)
	}
	if got, err := ParsePublic(pub.String()); err != nil || got != pub {
		t.Errorf("read back: %v, %v", got, err)
	}
	if !bytes.Equal(pub.Key(), fixed.Public().(ed25519.PublicKey)) {
		t.Error("Key is another key")
	}
	peer := Peer(pub.Key())
	if want := api.PeerID("12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"); peer != want {
		t.Errorf("peer id %s, want %s", peer, want)
	}
	if _, err := api.ParsePeerID(string(peer)); err != nil {
		t.Error(err)
	}
}

// Every key's peer id has the one form that the api package takes.
func TestPeerForm(t *testing.T) {
	for _, b := range []byte{0x00, 0x01, 0x7f, 0x80, 0xff} {
		p := Peer(bytes.Repeat([]byte{b}, ed25519.PublicKeySize))
		if _, err := api.ParsePeerID(string(p)); err != nil {
			t.Error(err)
		}
	}
}

func TestOfPeer(t *testing.T) {
	pub := PublicOf(fixed)
	if got, err := OfPeer(Peer(pub.Key())); err != nil || got != pub {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []api.PeerID{"", "12D3KooW", "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", Peer(pub.Key()) + "1", Peer(pub.Key())[1:]} {
		if got, err := OfPeer(bad); err == nil {
			t.Errorf("%q: %v", bad, got)
		}
	}
}

func TestParsePublicRefuses(t *testing.T) {
	good := PublicOf(fixed).String()
	for name, bad := range map[string]string{
		"empty":         "",
		"prefix alone":  "ed25519:",
		"no prefix":     strings.TrimPrefix(good, "ed25519:"),
		"other prefix":  "rsa:" + strings.TrimPrefix(good, "ed25519:"),
		"upper prefix":  "ED25519:" + strings.TrimPrefix(good, "ed25519:"),
		"half":          good[:len(good)/2],
		"longer":        good + "1",
		"letter O":      good[:len(good)-1] + "O",
		"digit 0":       good[:len(good)-1] + "0",
		"blank":         good + " ",
		"newline":       good + "\n",
		"zero key":      "ed25519:" + strings.Repeat("1", 32),
		"31 bytes":      "ed25519:" + strings.Repeat("1", 31),
		"33 bytes":      "ed25519:" + strings.Repeat("1", 33),
		"very long":     "ed25519:" + strings.Repeat("z", 1<<20),
		"non-ASCII":     "ed25519:é",
		"hex of 32":     "ed25519:" + strings.Repeat("ab", 32),
		"overlong zero": "ed25519:1" + strings.TrimPrefix(good, "ed25519:"),
	} {
		if p, err := ParsePublic(bad); err == nil || !p.IsZero() || len(err.Error()) > 400 {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
}

func TestPublicInJSON(t *testing.T) {
	type holder struct{ Owner Public }
	want := holder{PublicOf(fixed)}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got holder
	if err := json.Unmarshal(b, &got); err != nil || got != want {
		t.Errorf("%s: %v, %v", b, got, err)
	}
	if err := json.Unmarshal([]byte(`{"Owner":""}`), &got); err == nil {
		t.Error("an empty owner was taken")
	}
	if s := (Public{}).String(); s != "" {
		t.Errorf("no key is %q", s)
	}
}

func FuzzParsePublic(f *testing.F) {
	for _, s := range []string{PublicOf(fixed).String(), "", "ed25519:", "ed25519:1111", "ed25519:" + strings.Repeat("1", 32)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePublic(s)
		if err != nil {
			if !p.IsZero() {
				t.Errorf("%q: %v beside %v", s, p, err)
			}
			return
		}
		if p.IsZero() || p.String() != s {
			t.Errorf("%q was taken as %q", s, p)
		}
	})
}

func TestCreateAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "owner.pem")
	k, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil || !got.Equal(k) {
		t.Errorf("read back another key (%v)", err)
	}
	if fi, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if _, err := Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("create again: %v", err)
	}
	if got, err := Read(path); err != nil || !got.Equal(k) {
		t.Errorf("the key was replaced (%v)", err)
	}
	other, err := Create(filepath.Join(t.TempDir(), "other.pem"))
	if err != nil || other.Equal(k) {
		t.Errorf("two keys are alike (%v)", err)
	}
}

// The file form of a known key: it is on people's disks. Text before it is theirs.
func TestFileForm(t *testing.T) {
	const want = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
-----END PRIVATE KEY-----
`
	b, err := Encode(fixed)
	if err != nil || string(b) != want {
		t.Errorf("%s%v", b, err)
	}
	for _, text := range []string{want, "my key\n" + want, want + "\n"} {
		if k, err := Parse([]byte(text)); err != nil || !k.Equal(fixed) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestPublicOf(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if p := PublicOf(ec); !p.IsZero() {
		t.Errorf("another kind of key is %s", p)
	}
}

// Many callers end up with one key.
func TestReadOrCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys", "node.pem")
	var g errgroup.Group
	found := make([]ed25519.PrivateKey, 12)
	for i := range found {
		g.Go(func() (err error) {
			found[i], err = ReadOrCreate(path)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, k := range found {
		if !k.Equal(found[0]) {
			t.Fatal("two callers have two keys")
		}
	}
}

func TestReadRefuses(t *testing.T) {
	encode := func(typ string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}) }
	der, err := x509.MarshalPKCS8PrivateKey(fixed)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	pubDER, err := x509.MarshalPKIXPublicKey(fixed.Public())
	if err != nil {
		t.Fatal(err)
	}
	good := encode(pemType, der)
	for name, tt := range map[string]struct {
		content []byte
		text    string
	}{
		"empty":       {nil, "no PEM block"},
		"no PEM":      {[]byte("hello"), "no PEM block"},
		"cut":         {good[:len(good)/2], "no PEM block"},
		"public":      {encode("PUBLIC KEY", pubDER), "no PEM block"},
		"other type":  {encode("EC PRIVATE KEY", der), "no PEM block"},
		"no PKCS #8":  {encode(pemType, []byte("hello")), "read key"},
		"another key": {encode(pemType, ecDER), "want Ed25519"},
		"too large":   {append(bytes.Repeat([]byte("\n"), MaxFile), good...), "too large"},
	} {
		path := filepath.Join(t.TempDir(), "key.pem")
		if err := os.WriteFile(path, tt.content, 0o600); err != nil {
			t.Fatal(err)
		}
		if k, err := Read(path); err == nil || k != nil || !strings.Contains(err.Error(), tt.text) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := ReadOrCreate(path); err == nil {
			t.Errorf("%s: replaced by a new key", name)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
