package api

import (
	"crypto/ed25519"
	"encoding"
	"encoding/json"
	"strings"
	"testing"
)

func TestParseDigest(t *testing.T) {
	good := strings.Repeat("0123456789abcdef", 4)
	if d, err := ParseDigest(good); err != nil || d.String() != good || d.Short() != good[:12] || d.IsZero() {
		t.Errorf("%s: %v, %v", good, d, err)
	}
	for name, bad := range map[string]string{
		"empty":           "",
		"short":           good[1:],
		"long":            good + "0",
		"upper case":      strings.ToUpper(good),
		"no hex":          "g" + good[1:],
		"zero":            strings.Repeat("0", 64),
		"space":           " " + good[1:],
		"newline":         good[1:] + "\n",
		"path":            "../" + good[3:],
		"two-byte letter": "é" + good[2:],
	} {
		if d, err := ParseDigest(bad); err == nil || !d.IsZero() {
			t.Errorf("%s (%q): %v, %v", name, bad, d, err)
		}
	}
}

func TestDigestOrder(t *testing.T) {
	a, b, c := Digest{0x01}, Digest{0x01, 0xff}, Digest{0xf0}
	for _, tt := range []struct {
		x, y Digest
		want int
	}{{a, a, 0}, {a, b, -1}, {b, a, 1}, {b, c, -1}, {c, Digest{}, 1}} {
		if got := tt.x.Compare(tt.y); got != tt.want {
			t.Errorf("%s to %s: %d, want %d", tt.x, tt.y, got, tt.want)
		}
	}
	if s := (Digest{}).Short(); s != "none" {
		t.Errorf("no digest is shown as %q", s)
	}
}

func TestParsePeerID(t *testing.T) {
	good := string(somePeer)
	if p, err := ParsePeerID(good); err != nil || string(p) != good || p.Short() != "AAAAAAAA" {
		t.Errorf("%s: %v, %v", good, p, err)
	}
	for name, bad := range map[string]string{
		"empty":       "",
		"short":       good[:51],
		"long":        good + "A",
		"RSA":         "Qm" + good[2:],
		"digit zero":  good[:20] + "0" + good[21:],
		"letter O":    good[:51] + "O",
		"dot":         good[:20] + "." + good[21:],
		"slash":       good[:20] + "/" + good[21:],
		"newline":     good[:51] + "\n",
		"two letters": good[:50] + "é",
	} {
		if p, err := ParsePeerID(bad); err == nil || p != "" {
			t.Errorf("%s (%q): %v, %v", name, bad, p, err)
		}
	}
}

func TestParseRealmID(t *testing.T) {
	good := string(someRealm)
	if r, err := ParseRealmID(good); err != nil || string(r) != good {
		t.Errorf("%s: %v, %v", good, r, err)
	}
	for name, bad := range map[string]string{
		"empty":          "",
		"short":          good[1:],
		"long":           good + "a",
		"upper case":     strings.ToUpper(good),
		"digit one":      "1" + good[1:],
		"padding":        good[1:] + "=",
		"newline in it":  good[:10] + "\n" + good[10:],
		"newline at end": good + "\n",
		"return":         good + "\r\n",
		"dotless i":      "ı" + good[1:], // its upper case is the letter I
		"long s":         "ſ" + good[1:], // its upper case is the letter S
		"slash":          "/" + good[1:],
	} {
		if r, err := ParseRealmID(bad); err == nil || r != "" {
			t.Errorf("%s (%q): %v, %v", name, bad, r, err)
		}
	}
}

// The realm id is the identity of all that exists: how it is derived never changes.
func TestNewRealmID(t *testing.T) {
	pub := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	id := NewRealmID(pub)
	if _, err := ParseRealmID(string(id)); err != nil {
		t.Error(err)
	}
	if want := RealmID("jspnvkd5pwvqamxswqm3wmwrnnp46mgp"); id != want {
		t.Errorf("%s, want %s", id, want)
	}
}

func TestParseName(t *testing.T) {
	for _, good := range []string{"a", "0", "double", "hello-cgi", "a_b", "a-", "9lives", strings.Repeat("x", MaxNameLen)} {
		if n, err := ParseName(good); err != nil || string(n) != good {
			t.Errorf("%q: %v, %v", good, n, err)
		}
	}
	for _, bad := range []string{"", "-a", "_a", "A", "aB", "a.b", "a/b", "..", ".", "a b", "a\x00", "a\n", "ä", "日本", "a*", "a>", "a\\b",
		"a:b", "%2e", strings.Repeat("x", MaxNameLen+1)} {
		if n, err := ParseName(bad); err == nil || n != "" {
			t.Errorf("%q: %v, %v", bad, n, err)
		}
	}
}

// Ids inside messages are parsed, not taken as they are; only a digest and a peer
// may be none.
func TestIDsInMessages(t *testing.T) {
	type ids struct {
		Digest Digest
		Peer   PeerID
		Realm  RealmID
		Name   Name
	}
	good := ids{someDigest, somePeer, someRealm, "double"}
	raw, err := json.Marshal(good)
	if err != nil {
		t.Fatal(err)
	}
	var again ids
	if err := json.Unmarshal(raw, &again); err != nil || again != good {
		t.Errorf("%s: %+v, %v", raw, again, err)
	}
	for _, tt := range []struct {
		into encoding.TextUnmarshaler
		text string
		ok   bool
	}{
		{new(Digest), "", true},
		{new(Digest), "00", false},
		{new(PeerID), "", true},
		{new(PeerID), "me", false},
		{new(RealmID), "", false},
		{new(RealmID), "mine", false},
		{new(Name), "", false},
		{new(Name), "../x", false},
	} {
		if err := tt.into.UnmarshalText([]byte(tt.text)); (err == nil) != tt.ok {
			t.Errorf("%T from %q: %v", tt.into, tt.text, err)
		}
	}
}

// Errors quote what a stranger sent, but not all of it.
func TestErrorsAreShort(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, parse := range parsers {
		if _, err := parse(long); err == nil || len(err.Error()) > 300 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
}

var parsers = map[string]func(string) (string, error){
	"digest": func(s string) (string, error) { d, err := ParseDigest(s); return d.String(), err },
	"peer":   func(s string) (string, error) { p, err := ParsePeerID(s); return p.String(), err },
	"realm":  func(s string) (string, error) { r, err := ParseRealmID(s); return r.String(), err },
	"name":   func(s string) (string, error) { n, err := ParseName(s); return n.String(), err },
}

// What parses is given back unchanged, in the alphabet that subjects, file names
// and paths can bear.
func fuzzParser(f *testing.F, parse func(string) (string, error), alphabet string, seeds ...string) {
	for _, s := range append(seeds, "", "\x00", "a/b", "..", "é", strings.Repeat("a", 100)) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parse(s)
		if err != nil {
			if got != "" {
				t.Errorf("%q: %q beside the error %v", s, got, err)
			}
			return
		}
		if got != s || s == "" || strings.Trim(s, alphabet) != "" || len(s) > 64 {
			t.Errorf("%q was taken as %q", s, got)
		}
	})
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	digits = "0123456789"
)

func FuzzParseDigest(f *testing.F) {
	fuzzParser(f, parsers["digest"], digits+"abcdef", someDigest.String(), strings.Repeat("0", 64))
}

func FuzzParsePeerID(f *testing.F) {
	fuzzParser(f, parsers["peer"], lower+strings.ToUpper(lower)+digits, string(somePeer))
}

func FuzzParseRealmID(f *testing.F) {
	fuzzParser(f, parsers["realm"], lower+"234567", string(someRealm), string(someRealm)+"\n")
}

func FuzzParseName(f *testing.F) {
	fuzzParser(f, parsers["name"], lower+digits+"-_", "double", "hello-cgi", "_a")
}
