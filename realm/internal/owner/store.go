package owner

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/realm-mesh/realm/internal/kit/atomicfile"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// Create makes the key of this account, without a passphrase. One that is there
// already is left alone and is [fs.ErrExist].
func Create() (Key, error) {
	k, err := Generate()
	if err != nil {
		return Key{}, err
	}
	return Save(Secret{Private: k}, "")
}

// Save makes s the key of this account, sealed with the passphrase unless that is
// "". A key that is there already is left alone and is [fs.ErrExist].
func Save(s Secret, passphrase string) (Key, error) { return save(s, sealing{passphrase, sealWork}) }

func save(s Secret, how sealing) (Key, error) {
	path, err := paths.OwnerKey()
	if err != nil {
		return Key{}, err
	}
	if err := CheckNone(path); err != nil {
		return Key{}, err
	}
	f, err := how.file(s)
	if err != nil {
		return Key{}, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return Key{}, fmt.Errorf("create key: %w", err)
	}
	err = atomicfile.Create(path, f.raw, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return Key{}, errExists(path)
	}
	if err != nil {
		return Key{}, fmt.Errorf("create key: %w", err)
	}
	return keyIn(path, f), nil
}

// CheckNone is the error of [Save] where a key is there already, before anybody
// is asked for anything.
func CheckNone(path string) error {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return errExists(path)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return fmt.Errorf("create key: %w", err)
}

func errExists(path string) error {
	return fmt.Errorf("%s: %w: this account has an owner key, and whatever it signed would be lost with it; show it with realm key show", path, fs.ErrExist)
}

// SetPassphrase writes the file of k anew, sealed with another passphrase; "" is
// for none. s is what [Key.Open] returned. The file is replaced in one step.
func (k Key) SetPassphrase(s Secret, passphrase string) (Key, error) {
	return k.reseal(s, sealing{passphrase, sealWork})
}

func (k Key) reseal(s Secret, how sealing) (Key, error) {
	if keys.PublicOf(s.Private) != k.Public() || s.Realm != k.Realm() {
		return Key{}, errors.New("set passphrase: this is not what the key file keeps")
	}
	return k.rewrite(s, how, func(string) error { return nil })
}

// Replace puts another key in the place of k, for the same person: the file is
// replaced in one step, and the old one kept beside it
// ([paths.RetiredOwnerKey]), readable by its user alone. A key that was sealed is
// not followed by one that is not. An agent that holds the old key is ended.
func (k Key) Replace(s Secret, passphrase string) (Key, error) {
	return k.replace(s, sealing{passphrase, sealWork})
}

func (k Key) replace(s Secret, how sealing) (Key, error) {
	switch {
	case s.Realm == "":
		return Key{}, errors.New("replace key: for which realm? A new key does not tell")
	case keys.PublicOf(s.Private) == k.Public():
		return Key{}, errors.New("replace key: by itself")
	case k.Sealed() && how.passphrase == "":
		return Key{}, errors.New("replace key: the old one has a passphrase, so must the new one")
	}
	next, err := k.rewrite(s, how, k.retire)
	if err != nil {
		return Key{}, err
	}
	if agent, err := k.Agent(); err == nil {
		_, err = agent.Lock()
		if err != nil {
			return next, fmt.Errorf("replace key: done, but the agent that holds the old one goes on: end it with realm key lock: %w", err)
		}
	}
	return next, nil
}

// rewrite replaces the file of k after before was done. A link stays one.
func (k Key) rewrite(s Secret, how sealing, before func(path string) error) (Key, error) {
	f, err := how.file(s)
	if err != nil {
		return Key{}, err
	}
	path, err := filepath.EvalSymlinks(k.Path)
	if err != nil {
		return Key{}, fmt.Errorf("replace key file: %w", err)
	}
	if now, err := readFile(path); err != nil || !bytes.Equal(now, k.file.raw) {
		return Key{}, errors.Join(fmt.Errorf("replace key file %s: somebody else has changed it meanwhile: look at it, then try again", path), err)
	}
	if err := before(path); err != nil {
		return Key{}, err
	}
	if err := atomicfile.Write(path, f.raw, 0o600); err != nil {
		return Key{}, fmt.Errorf("replace key file: %w", err)
	}
	return keyIn(k.Path, f), nil
}

// maxRetired bounds the search for a free name.
const maxRetired = 1000

// retire copies the file of k, which lies at path. Where a copy is there already,
// of a replacement that was cut short, it is left at that.
func (k Key) retire(path string) error {
	for n := 1; n <= maxRetired; n++ {
		to := paths.RetiredOwnerKey(path, n)
		err := atomicfile.Create(to, k.file.raw, 0o600)
		if err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("keep the old key: %w", err)
		}
		if there, err := readFile(to); err == nil && bytes.Equal(there, k.file.raw) {
			return nil
		}
	}
	return fmt.Errorf("keep the old key: %d retired keys lie beside %s: move them to a safe place", maxRetired, path)
}
