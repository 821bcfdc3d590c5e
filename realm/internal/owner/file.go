package owner

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Secret is what a key file keeps: the private key, and the realm that it speaks for.
type Secret struct {
	Private ed25519.PrivateKey
	Realm   api.RealmID // "" for the realm that has this as its first key
}

// file is an owner's key file: two lines that everybody may read, and a PEM block
// that holds the private key.
//
//	owner: ed25519:BASE58
//	realm: BASE32
//	-----BEGIN PRIVATE KEY----- or -----BEGIN AGE ENCRYPTED FILE-----
//
// Blank lines and those that begin with # are comments. The two lines may be
// missing where the block can be read: the realm is then the one that has this as
// its first key. A sealed block, opened, is a plain file with the same two lines.
type file struct {
	raw     []byte
	public  keys.Public
	realm   api.RealmID
	private ed25519.PrivateKey // nil where the block is sealed
	sealed  []byte             // the sealed block
}

const (
	ownerLine  = "owner: "
	realmLine  = "realm: "
	beginBlock = "-----BEGIN "
	sealedType = "AGE ENCRYPTED FILE"
)

// head is the readable lines of a file; zero where they are missing.
type head struct {
	public keys.Public
	realm  api.RealmID
}

// parseFile reads a key file without opening what is sealed in it.
func parseFile(raw []byte) (file, error) {
	at := blockAt(raw)
	h, err := parseHead(string(raw[:at]))
	if err != nil {
		return file{}, err
	}
	f := file{raw: raw, public: h.public, realm: h.realm}
	if block, _ := pem.Decode(raw[at:]); block != nil && block.Type == sealedType {
		f.sealed = raw[at:]
		if f.public.IsZero() {
			return file{}, errors.New(`its block is sealed, and no line "owner: ed25519:…" before it says whose it is: add that line`)
		}
	} else {
		if f.private, err = keys.Parse(raw[at:]); err != nil {
			return file{}, err
		}
		if f.public = keys.PublicOf(f.private); !h.public.IsZero() && h.public != f.public {
			return file{}, fmt.Errorf("%w: the line says %s, the key is %s", errTampered, h.public, f.public)
		}
	}
	if f.realm == "" {
		f.realm = api.NewRealmID(f.public.Key())
	}
	return f, nil
}

// blockAt is where the first line of the PEM block begins; 0 without any, so that
// it is the block that is missed and not the head that is not understood.
func blockAt(raw []byte) int {
	if i := bytes.Index(raw, []byte("\n"+beginBlock)); i >= 0 && !bytes.HasPrefix(raw, []byte(beginBlock)) {
		return i + 1
	}
	return 0
}

func parseHead(text string) (h head, err error) {
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, ownerLine) && h.public.IsZero():
			h.public, err = keys.ParsePublic(line[len(ownerLine):])
		case strings.HasPrefix(line, realmLine) && h.realm == "":
			h.realm, err = api.ParseRealmID(line[len(realmLine):])
		default:
			err = fmt.Errorf("%.80q: want %q, %q or a comment (#), each once", line, ownerLine, realmLine)
		}
		if err != nil {
			return head{}, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return h, nil
}

// newFile is s as an open file.
func newFile(s Secret) (file, error) {
	f := file{public: keys.PublicOf(s.Private), realm: s.Realm, private: s.Private}
	if f.realm == "" {
		f.realm = api.NewRealmID(f.public.Key())
	}
	block, err := keys.Encode(s.Private)
	if err != nil {
		return file{}, err
	}
	f.raw = f.withHead("The key of a realm's owner. Whoever has this file decides what its nodes run.", block)
	return f, nil
}

// withHead puts the readable lines before a block.
func (f file) withHead(comment string, block []byte) []byte {
	return fmt.Appendf(nil, "# %s\n%s%s\n%s%s\n%s", comment, ownerLine, f.public, realmLine, f.realm, block)
}
