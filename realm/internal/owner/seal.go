package owner

import (
	"bytes"
	"errors"
	"fmt"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Powers of two of scrypt's cost; 2^n take 2^n KiB of memory.
const (
	sealWork    = 18 // about a second, 256 MiB: age's own
	maxSealWork = 20 // a file that asks for more is refused before any work is done
)

// MaxPassphrase is the most bytes of a passphrase.
const MaxPassphrase = 1 << 10

var (
	// ErrPassphrase says that a file was not sealed with this passphrase.
	ErrPassphrase = errors.New("wrong passphrase")
	errTampered   = errors.New("what the file says of its key is not true: somebody has changed it; take a copy, or restore the key from its words")
)

// CheckPassphrase refuses what protects nothing, or cannot be typed again.
func CheckPassphrase(p string) error {
	switch {
	case p == "":
		return errors.New("the passphrase is empty")
	case len(p) > MaxPassphrase:
		return fmt.Errorf("the passphrase is too long: %d bytes, at most %d", len(p), MaxPassphrase)
	}
	return nil
}

// seal encrypts an open file with a passphrase. work is its cost, a power of two.
func (f file) seal(passphrase string, work int) (file, error) {
	if err := CheckPassphrase(passphrase); err != nil {
		return file{}, err
	}
	to, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return file{}, fmt.Errorf("seal key: %w", err)
	}
	to.SetWorkFactor(work)
	var block bytes.Buffer
	armored := armor.NewWriter(&block)
	w, err := age.Encrypt(armored, to)
	if err == nil {
		_, err = w.Write(f.raw)
	}
	if err == nil {
		err = errors.Join(w.Close(), armored.Close())
	}
	if err != nil {
		return file{}, fmt.Errorf("seal key: %w", err)
	}
	sealed := file{public: f.public, realm: f.realm, sealed: block.Bytes()}
	sealed.raw = sealed.withHead("The key of a realm's owner, sealed with a passphrase: see realm help key unlock.", sealed.sealed)
	return sealed, nil
}

// sealing is how a file is to be encrypted: not at all with the passphrase "".
type sealing struct {
	passphrase string
	work       int
}

// file is the key file of s.
func (how sealing) file(s Secret) (file, error) {
	f, err := newFile(s)
	if err != nil || how.passphrase == "" {
		return f, err
	}
	return f.seal(how.passphrase, how.work)
}

// open decrypts a sealed file, and makes sure that its readable lines are those
// that were sealed in it.
func (f file) open(passphrase string) (file, error) {
	if f.private != nil {
		return f, nil
	}
	if err := CheckPassphrase(passphrase); err != nil {
		return file{}, err
	}
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return file{}, err
	}
	id.SetMaxWorkFactor(maxSealWork)
	raw, err := unseal(f.sealed, id)
	if err != nil {
		return file{}, err
	}
	in, err := parseFile(raw)
	switch {
	case err != nil:
		return file{}, fmt.Errorf("what is sealed in it: %w", err)
	case in.private == nil:
		return file{}, errors.New("what is sealed in it is sealed once more")
	case in.public != f.public || in.realm != f.realm:
		return file{}, fmt.Errorf("%w: it says %s of realm %s, sealed is %s of realm %s", errTampered, f.public, f.realm, in.public, in.realm)
	}
	return in, nil
}

func unseal(block []byte, id age.Identity) ([]byte, error) {
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(block)), id)
	if none := (*age.NoIdentityMatchError)(nil); errors.As(err, &none) {
		if len(none.StanzaTypes) == 1 && none.StanzaTypes[0] == "scrypt" {
			return nil, ErrPassphrase
		}
		return nil, fmt.Errorf("it is sealed for %.80q, and not with a passphrase: open it with age, and put the plain file in its place", none.StanzaTypes)
	}
	if err != nil {
		return nil, fmt.Errorf("open sealed block: %w", err)
	}
	raw, err := api.ReadAll(r, keys.MaxFile)
	if err != nil {
		return nil, fmt.Errorf("open sealed block: %w", err)
	}
	return raw, nil
}
