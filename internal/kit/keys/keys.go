// Package keys reads, makes and writes the Ed25519 keys of owners and nodes.
//
// Private keys are PKCS #8 in PEM (RFC 5958, RFC 7468), readable by their user
// alone. An owner's public key is written "ed25519:" + base58; a node's is its
// peer id.
package keys

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/mr-tron/base58"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/atomicfile"
)

const (
	publicPrefix = "ed25519:"
	pemType      = "PRIVATE KEY"
)

// MaxFile is the most bytes of a key file that are read.
const MaxFile = 16 << 10

// Public is an owner's public key, comparable. The zero Public means "none".
type Public [ed25519.PublicKeySize]byte

// ParsePublic reads "ed25519:BASE58".
func ParsePublic(s string) (Public, error) {
	var p Public
	b58, ok := strings.CutPrefix(s, publicPrefix)
	if !ok || len(b58) > 64 {
		return p, fmt.Errorf("parse owner key %.80q: want %s followed by base58, as printed by: realm key show", s, publicPrefix)
	}
	b, err := base58.Decode(b58)
	if err != nil || len(b) != len(p) {
		return p, fmt.Errorf("parse owner key %.80q: not the base58 of %d bytes", s, len(p))
	}
	copy(p[:], b)
	if p.IsZero() {
		return p, errors.New("parse owner key: all zeros are no key")
	}
	return p, nil
}

// PublicOf returns the public half of a private key, which may be out of reach
// (locked, or held by an agent). It is the zero Public for a key that is not Ed25519.
func PublicOf(k crypto.Signer) Public {
	pub, ok := k.Public().(ed25519.PublicKey)
	if !ok || len(pub) != len(Public{}) {
		return Public{}
	}
	return Public(pub)
}

func (p Public) String() string {
	if p.IsZero() {
		return ""
	}
	return publicPrefix + base58.Encode(p[:])
}

// IsZero reports whether p is no key.
func (p Public) IsZero() bool { return p == Public{} }

// Key returns p in the form that crypto/ed25519 takes.
func (p Public) Key() ed25519.PublicKey { return p[:] }

// MarshalText implements [encoding.TextMarshaler].
func (p Public) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Public) UnmarshalText(b []byte) error {
	v, err := ParsePublic(string(b))
	if err != nil {
		return err
	}
	*p = v
	return nil
}

// Peer returns the peer id of a node's key: base58 of an identity multihash
// (0x00, length) over the protobuf of the key (libp2p peer ids specification).
func Peer(pub ed25519.PublicKey) api.PeerID {
	return api.PeerID(base58.Encode(append([]byte{0x00, 0x24, 0x08, 0x01, 0x12, 0x20}, pub...)))
}

// OfPeer is the inverse of [Peer]: the public key of the node with this id.
func OfPeer(id api.PeerID) (Public, error) {
	if _, err := api.ParsePeerID(string(id)); err != nil {
		return Public{}, err
	}
	b, err := base58.Decode(string(id))
	if err != nil || len(b) < len(Public{}) {
		return Public{}, fmt.Errorf("peer id %.80q holds no Ed25519 key", string(id))
	}
	p := Public(b[len(b)-len(Public{}):])
	if Peer(p.Key()) != id {
		return Public{}, fmt.Errorf("peer id %.80q holds no Ed25519 key", string(id))
	}
	return p, nil
}

// Read returns the private key in the file at path. A missing file is [fs.ErrNotExist].
func Read(path string) (ed25519.PrivateKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read key: %w", err)
	}
	defer f.Close()
	b, err := api.ReadAll(f, MaxFile)
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w", path, err)
	}
	k, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w", path, err)
	}
	return k, nil
}

// Parse returns the private key of the first PEM block of b. Text before the block
// is passed over.
func Parse(b []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(b)
	if block == nil || block.Type != pemType {
		return nil, fmt.Errorf("no PEM block %q in it", pemType)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	ed, ok := k.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("a %T, want Ed25519", k)
	}
	return ed, nil
}

// Encode is the inverse of [Parse].
func Encode(k ed25519.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemType, Bytes: der}), nil
}

// Create makes a new private key and writes it to path, which must not exist
// ([fs.ErrExist]): no key is ever replaced.
func Create(path string) (ed25519.PrivateKey, error) {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("create key: %w", err)
	}
	b, err := Encode(k)
	if err != nil {
		return nil, fmt.Errorf("create key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("create key: %w", err)
	}
	if err := atomicfile.Create(path, b, 0o600); err != nil {
		return nil, fmt.Errorf("create key: %w", err)
	}
	return k, nil
}

// ReadOrCreate returns the key at path, made if there is none.
func ReadOrCreate(path string) (ed25519.PrivateKey, error) {
	k, err := Read(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if k, err = Create(path); errors.Is(err, fs.ErrExist) {
		return Read(path) // another caller was faster
	}
	return k, err
}
