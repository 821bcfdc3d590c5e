package secret

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

var (
	// ErrNotFor says that a version was not sealed to a member when it was signed.
	ErrNotFor = errors.New("it was not sealed to this member")
	// ErrWrong says that what is sealed is not what it claims to be: it is of another secret,
	// or of another version.
	ErrWrong = errors.New("what is sealed is of another secret")
)

// header is what stands before a value, with the realm and the name behind it.
const header = "realm-secret-v1\x00"

func bound(realm api.RealmID, name api.Name) []byte {
	return []byte(header + string(realm) + "\x00" + string(name) + "\x00")
}

// Key is the private half of the pair of one version of a secret.
type Key struct{ id *age.X25519Identity }

// Seal seals value, at most [api.MaxSecret] bytes, for a secret of this name, to members, of
// which there is one at least and at most [api.MaxSecretKeys].
func Seal(realm api.RealmID, name api.Name, value []byte, to []api.PeerID) (*api.Secret, error) {
	if len(value) > api.MaxSecret {
		return nil, fmt.Errorf("seal secret %s: it has %d bytes, at most %d", name, len(value), api.MaxSecret)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fmt.Errorf("seal secret %s: %w", name, err)
	}
	out := &api.Secret{Recipient: id.Recipient().String(), Bytes: len(value)}
	if out.Data, err = seal(id.Recipient(), append(bound(realm, name), value...)); err != nil {
		return nil, fmt.Errorf("seal secret %s: %w", name, err)
	}
	for _, p := range to {
		sealed, err := Key{id}.For(p)
		if err != nil {
			return nil, fmt.Errorf("seal secret %s: %w", name, err)
		}
		out.Keys = append(out.Keys, api.SecretKey{Peer: p, Sealed: sealed})
	}
	return out, out.Validate()
}

// seal makes an age file.
func seal(to age.Recipient, plain []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to)
	if err != nil {
		return nil, err
	}
	if _, err = w.Write(plain); err == nil {
		err = w.Close()
	}
	return out.Bytes(), err
}

// maxPlain is the most that is read of anything that is sealed.
const maxPlain = api.MaxSecret + 1<<10

// open reads an age file.
func open(id age.Identity, sealed []byte) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(sealed), id)
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(r, maxPlain+1))
	if err == nil && len(plain) > maxPlain {
		err = api.ErrTooLarge
	}
	return plain, err
}

// For seals k to a member's own key.
func (k Key) For(p api.PeerID) ([]byte, error) {
	pub, err := keys.OfPeer(p)
	if err != nil {
		return nil, err
	}
	sshKey, err := ssh.NewPublicKey(pub.Key())
	if err != nil {
		return nil, fmt.Errorf("seal to %s: %w", p.Short(), err)
	}
	to, err := agessh.NewEd25519Recipient(sshKey)
	if err != nil {
		return nil, fmt.Errorf("seal to %s: %w", p.Short(), err)
	}
	return seal(to, []byte(k.id.String()))
}

// Unseal opens what was sealed to the member with this key by [Key.For]: the private half
// of the version s, or [ErrWrong].
func Unseal(s *api.Secret, sealed []byte, node ed25519.PrivateKey) (Key, error) {
	id, err := agessh.NewEd25519Identity(node)
	if err != nil {
		return Key{}, fmt.Errorf("open the key of a secret: %w", err)
	}
	text, err := open(id, sealed)
	if err != nil {
		return Key{}, fmt.Errorf("open the key of a secret: %w", err)
	}
	k, err := age.ParseX25519Identity(string(text))
	if err != nil {
		return Key{}, fmt.Errorf("open the key of a secret: %w", ErrWrong) // what the error says may hold it
	}
	if k.Recipient().String() != s.Recipient {
		return Key{}, fmt.Errorf("open the key of a secret: %w", ErrWrong)
	}
	return Key{k}, nil
}

// Own is the private half of s as it was sealed to the member with this key. [ErrNotFor]: it
// was not.
func Own(s *api.Secret, node ed25519.PrivateKey) (Key, error) {
	self := keys.Peer(keys.PublicOf(node).Key())
	for _, k := range s.Keys {
		if k.Peer == self {
			return Unseal(s, k.Sealed, node)
		}
	}
	return Key{}, ErrNotFor
}

// Open reads the value of the secret s of this name. [ErrWrong]: it was sealed for another.
func (k Key) Open(s *api.Secret, realm api.RealmID, name api.Name) ([]byte, error) {
	plain, err := open(k.id, s.Data)
	if err != nil {
		return nil, fmt.Errorf("open secret %s: %w", name, err)
	}
	value, ok := bytes.CutPrefix(plain, bound(realm, name))
	if !ok {
		return nil, fmt.Errorf("open secret %s: %w", name, ErrWrong)
	}
	return value, nil
}
