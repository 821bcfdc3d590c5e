package owner

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Keys and files that are the same in every run.
var (
	fixed   = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	another = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))
	first   = api.NewRealmID(keys.PublicOf(fixed).Key())   // of fixed, before any rotation
	older   = api.NewRealmID(keys.PublicOf(another).Key()) // a realm that fixed came to by a rotation
)

const (
	lowWork    = 4 // so that a test takes no second
	passphrase = "correct horse"
)

func golden(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Files that are on people's disks, from the first version on.
func TestReadsWhatThereIs(t *testing.T) {
	for name, want := range map[string]struct {
		realm  api.RealmID
		sealed bool
	}{
		"bare.pem":    {first, false}, // as the first version wrote it
		"plain.pem":   {first, false},
		"rotated.pem": {older, false},
		"sealed.pem":  {older, true},
	} {
		f, err := parseFile(golden(t, name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if f.public != keys.PublicOf(fixed) || f.realm != want.realm || (f.private == nil) != want.sealed {
			t.Errorf("%s: %s of %s, sealed %v", name, f.public, f.realm, f.private == nil)
		}
		in, err := f.open(passphrase)
		if err != nil || !in.private.Equal(fixed) || in.realm != want.realm {
			t.Errorf("%s: opened %v, %v", name, in.realm, err)
		}
	}
}

// What is written now is what was written then.
func TestWritesTheSame(t *testing.T) {
	for name, s := range map[string]Secret{"plain.pem": {Private: fixed}, "rotated.pem": {fixed, older}} {
		f, err := newFile(s)
		if err != nil || !bytes.Equal(f.raw, golden(t, name)) {
			t.Errorf("%s: %v, written:\n%s", name, err, f.raw)
		}
	}
	sealed, err := mustFile(t, Secret{fixed, older}).seal(passphrase, lowWork)
	if err != nil {
		t.Fatal(err)
	}
	head := func(b []byte) string { h, _, _ := strings.Cut(string(b), "AGE ENCRYPTED FILE"); return h }
	if got, want := head(sealed.raw), head(golden(t, "sealed.pem")); got != want {
		t.Errorf("head\n%swant\n%s", got, want)
	}
}

func mustFile(t testing.TB, s Secret) file {
	t.Helper()
	f, err := newFile(s)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestParseFileRefuses(t *testing.T) {
	plain, sealed := string(golden(t, "plain.pem")), string(golden(t, "sealed.pem"))
	block, ageBlock := plain[blockAt([]byte(plain)):], sealed[blockAt([]byte(sealed)):]
	mine, theirs := keys.PublicOf(fixed).String(), keys.PublicOf(another).String()
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":                   {"", "no PEM block"},
		"text":                      {"not a key\n", "no PEM block"},
		"head alone":                {"owner: " + mine + "\n", "no PEM block"},
		"block cut":                 {plain[:len(plain)-20], "no PEM block"},
		"sealed block cut":          {sealed[:len(sealed)-20], "no PEM block"},
		"another block":             {strings.ReplaceAll(plain, "PRIVATE", "PUBLIC"), "no PEM block"},
		"another's":                 {strings.Replace(plain, mine, theirs, 1), errTampered.Error()},
		"owner that is none":        {strings.Replace(plain, mine, mine[:20], 1), "line 2: parse owner key"},
		"realm that is none":        {strings.Replace(plain, string(first), "x", 1), "line 3: parse realm id"},
		"two owners":                {"owner: " + mine + "\nowner: " + mine + "\n" + block, "line 2"},
		"two realms":                {"realm: " + string(first) + "\nrealm: " + string(older) + "\n" + block, "line 2"},
		"misspelt":                  {"reaml: " + string(older) + "\n" + block, `line 1: "reaml: `},
		"sealed, nobody's":          {ageBlock, "whose it is"},
		"sealed, realm alone":       {"realm: " + string(first) + "\n" + ageBlock, "whose it is"},
		"not everything is a block": {"owner: " + mine + "\n" + strings.Replace(block, "M", "!", 1), "no PEM block"},
	} {
		if f, err := parseFile([]byte(tt.text)); err == nil || f.private != nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// People may put their own words, and the line ends of their editor, into the file.
func TestParseFileTakesComments(t *testing.T) {
	for _, name := range []string{"plain.pem", "rotated.pem", "sealed.pem"} {
		b := golden(t, name)
		want, err := parseFile(b)
		if err != nil {
			t.Fatal(err)
		}
		for what, text := range map[string]string{
			"comments":     "# mine\n\n#\n" + string(b),
			"blanks after": strings.Replace(string(b), "\n", "  \n", 2),
			"CR LF":        strings.ReplaceAll(string(b), "\n", "\r\n"),
			"lines after":  string(b) + "\n\n",
		} {
			f, err := parseFile([]byte(text))
			if err == nil {
				_, err = f.open(passphrase)
			}
			if err != nil || f.public != want.public || f.realm != want.realm {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}

// No change of a sealed file goes unnoticed: it cannot be read, cannot be opened,
// or says the same as before.
func TestTamperedFile(t *testing.T) {
	good := golden(t, "sealed.pem")
	want, err := parseFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		f, err := parseFile(bad)
		if err != nil {
			continue
		}
		in, err := f.open(passphrase)
		if err == nil && (in.public != want.public || in.realm != want.realm || !in.private.Equal(fixed)) {
			t.Errorf("byte %d: opened as %s of %s", i, in.public, in.realm)
		}
	}
	text := string(good)
	for name, bad := range map[string]string{
		"another owner": strings.Replace(text, keys.PublicOf(fixed).String(), keys.PublicOf(another).String(), 1),
		"another realm": strings.Replace(text, string(older), string(first), 1),
		"no realm":      strings.Replace(text, realmLine+string(older)+"\n", "", 1),
	} {
		f, err := parseFile([]byte(bad))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := f.open(passphrase); !errors.Is(err, errTampered) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParseFile: what is taken says the same when it is written anew.
func FuzzParseFile(f *testing.F) {
	for _, name := range []string{"bare.pem", "plain.pem", "rotated.pem", "sealed.pem"} {
		f.Add(golden(f, name))
	}
	f.Add([]byte("owner: x\nrealm: y\n-----BEGIN PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := parseFile(raw)
		if err != nil {
			return
		}
		if got.public.IsZero() || (got.private == nil) == (got.sealed == nil) {
			t.Fatalf("taken: %+v", got)
		}
		if _, err := api.ParseRealmID(string(got.realm)); err != nil {
			t.Fatal(err)
		}
		if got.private == nil {
			return
		}
		again, err := parseFile(mustFile(t, Secret{got.private, got.realm}).raw)
		if err != nil || again.public != got.public || again.realm != got.realm || !again.private.Equal(got.private) {
			t.Fatalf("written anew: %+v, %v", again, err)
		}
	})
}
