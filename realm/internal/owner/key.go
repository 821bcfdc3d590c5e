package owner

import (
	"crypto"
	"errors"
	"fmt"
	"io/fs"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
	"github.com/realm-mesh/realm/internal/kit/trust"
)

// ErrNoKey says that this account has no owner key.
var ErrNoKey = errors.New("this account has no owner key")

// Key is the owner's key pair and the file that it lies in.
type Key struct {
	Path   string
	signer crypto.Signer
}

// Load reads the key of this account; without one it is [ErrNoKey].
func Load() (Key, error) {
	path, err := paths.OwnerKey()
	if err != nil {
		return Key{}, err
	}
	k, err := keys.Read(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Key{}, fmt.Errorf("%w (%s): make one with realm init, or point %s at yours", ErrNoKey, path, paths.EnvOwnerKey)
	}
	if err != nil {
		return Key{}, err
	}
	return Key{path, k}, nil
}

// Create makes the key of this account. One that is there already is left alone
// and is [fs.ErrExist].
func Create() (Key, error) {
	path, err := paths.OwnerKey()
	if err != nil {
		return Key{}, err
	}
	k, err := keys.Create(path)
	if errors.Is(err, fs.ErrExist) {
		return Key{}, fmt.Errorf("%s: %w: this account has an owner key, and whatever it signed would be lost with it; show it with realm key show", path, fs.ErrExist)
	}
	if err != nil {
		return Key{}, err
	}
	return Key{path, k}, nil
}

// Public is the half that nodes are told.
func (k Key) Public() keys.Public { return keys.PublicOf(k.signer) }

// Realm is the id of the realm that has k as its first key.
func (k Key) Realm() api.RealmID { return trust.NewPin(k.Public()).Realm }
