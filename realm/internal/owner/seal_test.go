package owner

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
)

func sealedFile(t testing.TB, s Secret) file {
	t.Helper()
	f, err := mustFile(t, s).seal(passphrase, lowWork)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestSealAndOpen(t *testing.T) {
	for _, pass := range []string{"x", passphrase, "pässwörd ☃", " ", strings.Repeat("p", MaxPassphrase)} {
		f, err := mustFile(t, Secret{fixed, older}).seal(pass, lowWork)
		if err != nil {
			t.Fatalf("%.20q: %v", pass, err)
		}
		if bytes.Contains(f.raw, []byte("PRIVATE")) || f.private != nil {
			t.Error("the private key is to be seen")
		}
		read, err := parseFile(f.raw)
		if err != nil {
			t.Fatal(err)
		}
		in, err := read.open(pass)
		if err != nil || !in.private.Equal(fixed) || in.realm != older {
			t.Errorf("%.20q: opened %v, %v", pass, in.realm, err)
		}
		if _, err := read.open(pass + "."); !errors.Is(err, ErrPassphrase) && len(pass) < MaxPassphrase {
			t.Errorf("%.20q: another opened it: %v", pass, err)
		}
	}
}

func TestPassphrasesThatAreNone(t *testing.T) {
	for pass, want := range map[string]string{"": "empty", strings.Repeat("p", MaxPassphrase+1): "too long"} {
		if _, err := mustFile(t, Secret{Private: fixed}).seal(pass, lowWork); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("sealed with %.10q: %v", pass, err)
		}
		if _, err := sealedFile(t, Secret{Private: fixed}).open(pass); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("opened with %.10q: %v", pass, err)
		}
	}
}

// encrypt is a key file whose block was made elsewhere.
func encrypt(t *testing.T, plain []byte, to age.Recipient) file {
	t.Helper()
	var b bytes.Buffer
	a := armor.NewWriter(&b)
	w, err := age.Encrypt(a, to)
	if err == nil {
		_, err = w.Write(plain)
	}
	if err == nil {
		err = errors.Join(w.Close(), a.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	f := mustFile(t, Secret{Private: fixed})
	f, err = parseFile(f.withHead("made elsewhere", b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func scrypt(t *testing.T, work int) age.Recipient {
	t.Helper()
	r, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	r.SetWorkFactor(work)
	return r
}

// The block may have been made with the age command, of a bare key.
func TestSealedElsewhere(t *testing.T) {
	x25519, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	bare, again := golden(t, "bare.pem"), sealedFile(t, Secret{Private: fixed}).raw
	for name, tt := range map[string]struct {
		f    file
		want string // "" where it is opened
	}{
		"a bare key":       {encrypt(t, bare, scrypt(t, lowWork)), ""},
		"a plain file":     {encrypt(t, golden(t, "plain.pem"), scrypt(t, lowWork)), ""},
		"of another realm": {encrypt(t, golden(t, "rotated.pem"), scrypt(t, lowWork)), "not true"},
		"another key":      {encrypt(t, mustFile(t, Secret{Private: another}).raw, scrypt(t, lowWork)), "not true"},
		"no key":           {encrypt(t, []byte("hello"), scrypt(t, lowWork)), "no PEM block"},
		"nothing":          {encrypt(t, nil, scrypt(t, lowWork)), "no PEM block"},
		"sealed twice":     {encrypt(t, again, scrypt(t, lowWork)), "once more"},
		"too large":        {encrypt(t, append(bytes.Repeat([]byte("#\n"), 9<<10), bare...), scrypt(t, lowWork)), "too large"},
		"to a key":         {encrypt(t, bare, x25519.Recipient()), "not with a passphrase"},
	} {
		in, err := tt.f.open(passphrase)
		switch {
		case tt.want == "" && (err != nil || !in.private.Equal(fixed)):
			t.Errorf("%s: %v", name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// A file that asks for more work than anybody would want is refused before it.
func TestWorkIsCapped(t *testing.T) {
	dear := bytes.NewBuffer(nil)
	w, err := age.Encrypt(dear, scrypt(t, lowWork))
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(dear.String(), " 4\n", " 21\n", 1) // of the scrypt line; checked before the header's MAC
	var block bytes.Buffer
	a := armor.NewWriter(&block)
	if _, err := io.WriteString(a, text); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	f := sealedFile(t, Secret{Private: fixed})
	f.sealed = block.Bytes()
	if _, err := f.open(passphrase); err == nil || !strings.Contains(err.Error(), "work factor too large") {
		t.Errorf("%v", err)
	}
}

// What age says of the block is what a person can open without realm: the plain file.
func TestOpensWithAgeAlone(t *testing.T) {
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	f := sealedFile(t, Secret{fixed, older})
	_, block, _ := bytes.Cut(f.raw, []byte(string(older)+"\n"))
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(block)), id)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, golden(t, "rotated.pem")) {
		t.Errorf("%v:\n%s", err, got)
	}
}
