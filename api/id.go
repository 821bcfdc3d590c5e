package api

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Digest is the SHA-256 of some bytes. The zero Digest means "none".
// As text it is 64 lower-case hexadecimal digits, or empty for the zero Digest.
type Digest [sha256.Size]byte

// Sum returns the digest of b.
func Sum(b []byte) Digest { return sha256.Sum256(b) }

// ParseDigest reads 64 lower-case hexadecimal digits. All zeros are refused: that
// Digest means "none".
func ParseDigest(s string) (Digest, error) {
	var d Digest
	if len(s) != 2*len(d) || strings.ToLower(s) != s {
		return Digest{}, fmt.Errorf("parse digest %.80q: want 64 lower-case hexadecimal digits", s)
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil {
		return Digest{}, fmt.Errorf("parse digest %.80q: %w", s, err)
	}
	if d.IsZero() {
		return Digest{}, errors.New("parse digest: all zeros name nothing")
	}
	return d, nil
}

// IsZero reports whether d is the zero Digest.
func (d Digest) IsZero() bool { return d == Digest{} }

func (d Digest) String() string {
	if d.IsZero() {
		return ""
	}
	return hex.EncodeToString(d[:])
}

// Short is the first twelve digits, for people.
func (d Digest) Short() string {
	if d.IsZero() {
		return "none"
	}
	return hex.EncodeToString(d[:6])
}

// Compare orders digests as unsigned big-endian numbers: -1, 0 or +1.
func (d Digest) Compare(e Digest) int { return bytes.Compare(d[:], e[:]) }

// MarshalText implements [encoding.TextMarshaler].
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Digest) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*d = Digest{}
		return nil
	}
	v, err := ParseDigest(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// PeerID names a node: the libp2p peer id of its Ed25519 node key, in its
// base58 form ("12D3KooW…", 52 characters). The empty PeerID means "none".
type PeerID string

const (
	peerIDPrefix = "12D3KooW" // base58 of an identity multihash over an Ed25519 key
	peerIDLen    = 52
	base58Digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
)

// ParsePeerID checks the form of a peer id; it does not decode the key in it.
func ParsePeerID(s string) (PeerID, error) {
	if len(s) != peerIDLen || !strings.HasPrefix(s, peerIDPrefix) || strings.Trim(s, base58Digits) != "" {
		return "", fmt.Errorf("parse peer id %.80q: want 52 base58 characters that begin with %s", s, peerIDPrefix)
	}
	return PeerID(s), nil
}

func (p PeerID) String() string { return string(p) }

// Short is the last eight characters, for people: the first ones are alike for all peers.
func (p PeerID) Short() string {
	if len(p) <= 8 {
		return string(p)
	}
	return string(p[len(p)-8:])
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *PeerID) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*p = ""
		return nil
	}
	v, err := ParsePeerID(string(b))
	if err != nil {
		return err
	}
	*p = v
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (p PeerID) MarshalText() ([]byte, error) { return []byte(p), nil }

// RealmID names a realm for ever: it is derived from the owner's first key and
// stays when that key is rotated. As text it is 32 characters of lower-case
// base32. The empty RealmID means "none yet".
type RealmID string

const (
	realmIDBytes = 20
	base32Digits = "abcdefghijklmnopqrstuvwxyz234567"
)

var realmIDEncoding = base32.NewEncoding(base32Digits).WithPadding(base32.NoPadding)

// NewRealmID derives the id of the realm whose first owner key is pub:
// the first 20 bytes of SHA-256("realm-id-v1\x00" || pub), in base32.
func NewRealmID(pub ed25519.PublicKey) RealmID {
	h := sha256.Sum256(append([]byte("realm-id-v1\x00"), pub...))
	return RealmID(realmIDEncoding.EncodeToString(h[:realmIDBytes]))
}

// ParseRealmID reads the text form of a realm id.
func ParseRealmID(s string) (RealmID, error) {
	// Not by decoding: the decoder passes over line feeds.
	if len(s) != realmIDEncoding.EncodedLen(realmIDBytes) || strings.Trim(s, base32Digits) != "" {
		return "", fmt.Errorf("parse realm id %.80q: want 32 characters a-z and 2-7", s)
	}
	return RealmID(s), nil
}

func (r RealmID) String() string { return string(r) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (r *RealmID) UnmarshalText(b []byte) error {
	v, err := ParseRealmID(string(b))
	if err != nil {
		return err
	}
	*r = v
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (r RealmID) MarshalText() ([]byte, error) { return []byte(r), nil }

// Name is what a person calls a workload. It doubles as a bus token, a file name
// and a URL path segment, hence its narrow alphabet.
type Name string

// MaxNameLen is the longest name, in bytes.
const MaxNameLen = 63

var errName = errors.New("use 1 to 63 characters a-z, 0-9, '-' and '_', beginning with a letter or digit")

// ParseName checks a name given by a person or by the wire.
func ParseName(s string) (Name, error) {
	if s == "" || len(s) > MaxNameLen {
		return "", fmt.Errorf("name %.80q: %w", s, errName)
	}
	for i, c := range []byte(s) {
		alnum := 'a' <= c && c <= 'z' || '0' <= c && c <= '9'
		if !alnum && (i == 0 || c != '-' && c != '_') {
			return "", fmt.Errorf("name %.80q: %w", s, errName)
		}
	}
	return Name(s), nil
}

func (n Name) String() string { return string(n) }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (n *Name) UnmarshalText(b []byte) error {
	v, err := ParseName(string(b))
	if err != nil {
		return err
	}
	*n = v
	return nil
}

// MarshalText implements [encoding.TextMarshaler].
func (n Name) MarshalText() ([]byte, error) { return []byte(n), nil }
