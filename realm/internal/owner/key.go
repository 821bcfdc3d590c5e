package owner

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// ErrNoKey says that this account has no owner key.
var ErrNoKey = errors.New("this account has no owner key")

// Key is the owner's key pair and the file that it lies in. Whose it is and for
// which realm is always known; the private half may be sealed with a passphrase.
type Key struct {
	Path   string
	file   file
	signer crypto.Signer
}

// Load reads the key of this account; without one it is [ErrNoKey].
func Load() (Key, error) {
	path, err := paths.OwnerKey()
	if err != nil {
		return Key{}, err
	}
	raw, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Key{}, fmt.Errorf("%w (%s): make one with realm init, or point %s at yours", ErrNoKey, path, paths.EnvOwnerKey)
	}
	if err != nil {
		return Key{}, fmt.Errorf("read key: %w", err)
	}
	f, err := parseFile(raw)
	if err != nil {
		return Key{}, fmt.Errorf("read key %s: %w", path, err)
	}
	return keyIn(path, f), nil
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := api.ReadAll(f, keys.MaxFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// keyIn is the key in f. A sealed one signs through its agent alone, until
// [Key.OrOpen] knows another way.
func keyIn(path string, f file) Key {
	if f.private != nil {
		return Key{path, f, f.private}
	}
	return Key{path, f, &lockedSigner{path: path, public: f.public}}
}

// Generate makes a private key in memory, for [Save] or [Key.Replace].
func Generate() (ed25519.PrivateKey, error) {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return k, nil
}

// Public is the half that nodes are told.
func (k Key) Public() keys.Public { return k.file.public }

// Realm is the id of the realm that k speaks for: the one that had k as its first
// key, unless the file names another.
func (k Key) Realm() api.RealmID { return k.file.realm }

// Sealed reports whether the file is encrypted with a passphrase.
func (k Key) Sealed() bool { return k.file.private == nil }

// Signer signs with k, wherever its private half is. For a sealed key that is
// not unlocked its error is [ErrLocked].
func (k Key) Signer() crypto.Signer { return k.signer }

// Open returns what the file keeps. passphrase is for a sealed one; another one
// than it was sealed with is [ErrPassphrase].
func (k Key) Open(passphrase string) (Secret, error) {
	f, err := k.file.open(passphrase)
	if err != nil {
		return Secret{}, fmt.Errorf("open key %s: %w", k.Path, err)
	}
	return Secret{f.private, f.realm}, nil
}
