// Package intent signs and reads intents: an [api.Intent] inside a DSSE envelope
// (https://github.com/secure-systems-lab/dsse, protocol v1.0.2).
//
// [Read] tells that the bytes are well formed and whose signature they carry. It
// does not tell whether that signer has a say: package ledger decides that, from
// all that a node holds.
//
// An envelope carries, beside what DSSE defines, what else its reader may need: the
// grant or invite that its signer holds, and the statement of the member that let
// a node in. Neither is covered by the signature; each has its own.
package intent

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Errors that callers branch on.
var (
	ErrSignature = errors.New("the signature is wrong")
	ErrRealm     = errors.New("made for another realm")
	// ErrContent marks an intent that is signed, and that this version cannot read: a
	// newer one may.
	ErrContent = errors.New("signed, but not understood by this version")
)

// Signed is an intent whose signature has been checked.
type Signed struct {
	api.Intent
	Digest   api.Digest  // of the payload, as signed
	Signer   keys.Public // whose signature it carries
	Grant    []byte      // envelope of the grant or invite that came with it; nil: none
	Witness  *Witness    // who let the node in, where an invite's key has signed; nil: nobody yet
	Envelope []byte      // all of it, in its one form
}

// By is the key of s's signer as a name.
func (s Signed) By() api.Name { return api.KeyName(s.Signer.Key()) }

// Version is the place of s in the sequence of its Ref.
func (s Signed) Version() Version { return Version{Seq: s.Seq, Digest: s.Digest} }

// Slot is the place of what one key has signed about one Ref.
type Slot struct {
	api.Ref
	Signer keys.Public `json:"signer"`
}

// Slot is the slot that s is in.
func (s Signed) Slot() Slot { return Slot{s.Ref, s.Signer} }

// Key is the key of the slot in the intents bucket.
func (s Slot) Key() string { return api.KeySlot(s.Ref, api.KeyName(s.Signer.Key())) }

// Validate implements [api.Validator].
func (s Slot) Validate() error {
	if err := s.Ref.Validate(); err != nil {
		return err
	}
	if s.Signer.IsZero() {
		return fmt.Errorf("%s: its signer is missing", s.Ref)
	}
	return nil
}

// Version is a place in the sequence of a Ref. The zero Version is before all others.
type Version struct {
	Seq    uint64     `json:"seq"`
	Digest api.Digest `json:"digest"`
}

// Newer reports whether v replaces w: a higher sequence number, or, for two
// intents that were signed with the same number (a fork), the larger digest.
func (v Version) Newer(w Version) bool {
	if v.Seq != w.Seq {
		return v.Seq > w.Seq
	}
	return v.Digest.Compare(w.Digest) > 0
}

// Sign validates in and puts it into an envelope signed by key, an Ed25519 key
// wherever it is: in memory, locked in a file, or held by an agent.
func Sign(in api.Intent, key crypto.Signer) (Signed, error) {
	if err := in.Validate(); err != nil {
		return Signed{}, fmt.Errorf("sign intent %s: %w", in.Ref, err)
	}
	payload, err := json.Marshal(in)
	if err != nil {
		return Signed{}, fmt.Errorf("sign intent %s: %w", in.Ref, err)
	}
	env, pub, err := seal(api.PayloadIntent, payload, key)
	if err != nil {
		return Signed{}, fmt.Errorf("sign intent %s: %w", in.Ref, err)
	}
	s := Signed{Intent: in, Digest: api.Sum(payload), Signer: pub}
	if err := s.wrap(envelope{Envelope: *env}); err != nil {
		return Signed{}, fmt.Errorf("sign intent %s: %w", in.Ref, err)
	}
	return s, nil
}

// seal signs payload with key, which must be Ed25519.
func seal(payloadType string, payload []byte, key crypto.Signer) (*dsse.Envelope, keys.Public, error) {
	pub := keys.PublicOf(key)
	if pub.IsZero() {
		return nil, pub, fmt.Errorf("the key is a %T, want Ed25519", key.Public())
	}
	s, err := dsse.NewEnvelopeSigner(signer{key, pub})
	if err != nil {
		return nil, pub, err
	}
	env, err := s.SignPayload(context.Background(), payloadType, payload)
	return env, pub, err
}

// wrap sets the envelope of s to env with what s has besides.
func (s *Signed) wrap(env envelope) error {
	env.Grant = s.Grant
	env.Witness = nil
	if s.Witness != nil {
		env.Witness = s.Witness.Envelope
	}
	raw, err := json.Marshal(env)
	if err != nil {
		return err
	}
	if len(raw) > api.MaxEnvelope {
		return fmt.Errorf("%w: %d bytes, at most %d: shorten its args or env", api.ErrTooLarge, len(raw), api.MaxEnvelope)
	}
	s.Envelope = raw
	return nil
}

// WithGrant is s with the envelope of the grant or invite that its signer holds.
func (s Signed) WithGrant(grant []byte) (Signed, error) {
	s.Grant = grant
	return s, s.rewrap()
}

// WithWitness is s, countersigned.
func (s Signed) WithWitness(w *Witness) (Signed, error) {
	s.Witness = w
	return s, s.rewrap()
}

func (s *Signed) rewrap() error {
	var env envelope
	if err := json.Unmarshal(s.Envelope, &env); err != nil {
		return fmt.Errorf("wrap intent %s: %w", s.Ref, err)
	}
	if err := s.wrap(env); err != nil {
		return fmt.Errorf("wrap intent %s: %w", s.Ref, err)
	}
	return nil
}

// Read checks an envelope from outside: its size and shape, the signature over
// exactly these bytes by the key that it names, and what the intent says as far as
// everybody must understand it: all of one about keys, the header of others.
// Whether that key has a say, and in which realm, is not checked.
func Read(raw []byte) (Signed, error) {
	env, payload, by, err := unseal(raw, api.PayloadIntent)
	if err != nil {
		return Signed{}, fmt.Errorf("read intent: %w", err)
	}
	s := Signed{Digest: api.Sum(payload), Signer: by, Grant: env.Grant}
	var in shared
	if err := api.Decode(payload, api.MaxEnvelope, &in); err != nil {
		return Signed{}, fmt.Errorf("read intent: %w: %w", ErrContent, err)
	}
	s.Intent = api.Intent(in)
	if env.Witness != nil {
		if s.Witness, err = readWitness(env.Witness); err != nil {
			return Signed{}, fmt.Errorf("read intent %s: %w", s.Ref, err)
		}
	}
	if err := s.wrap(env); err != nil {
		return Signed{}, fmt.Errorf("read intent %s: %w", s.Ref, err)
	}
	return s, nil
}

// unseal checks the one signature of an envelope.
func unseal(raw []byte, payloadType string) (env envelope, payload []byte, by keys.Public, err error) {
	if err := api.Decode(raw, api.MaxEnvelope, &env); err != nil {
		return env, nil, by, err
	}
	if env.PayloadType != payloadType {
		return env, nil, by, fmt.Errorf("payload type %.80q: want %s", env.PayloadType, payloadType)
	}
	if by, err = keys.ParsePublic(env.Signatures[0].KeyID); err != nil {
		return env, nil, by, fmt.Errorf("keyid: %w", err)
	}
	v, err := dsse.NewEnvelopeVerifier(verifier{by})
	if err != nil {
		return env, nil, by, err
	}
	if _, err := v.Verify(context.Background(), &env.Envelope); err != nil {
		return env, nil, by, fmt.Errorf("%w (key %s)", ErrSignature, by)
	}
	payload, err = env.DecodeB64Payload()
	return env, payload, by, err
}

// shared is an intent of which the header, and bodies about keys, are checked.
type shared api.Intent

func (s *shared) Validate() error {
	in := api.Intent(*s)
	if in.Kind.Trust() {
		return in.Validate()
	}
	return in.ValidateHeader()
}

// envelope is a DSSE envelope and what else its reader may need.
type envelope struct {
	dsse.Envelope
	Grant   []byte `json:"grant,omitempty"`   // an envelope
	Witness []byte `json:"witness,omitempty"` // an envelope
}

// maxAttached caps what comes with an intent, in bytes.
const maxAttached = 8 << 10

// Validate implements [api.Validator].
func (e *envelope) Validate() error {
	if n := len(e.Signatures); n != 1 {
		return fmt.Errorf("%d signatures: want 1", n)
	}
	if len(e.Grant) > maxAttached || len(e.Witness) > maxAttached {
		return fmt.Errorf("%w: grant or witness", api.ErrTooLarge)
	}
	return nil
}

// Witness is the statement of a member that it let a node in.
type Witness struct {
	api.Witness
	By       keys.Public // the member's node key
	Envelope []byte
}

// Countersign says that the member with this node key lets the node of join in.
func Countersign(join Signed, key crypto.Signer, at time.Time) (*Witness, error) {
	w := api.Witness{Realm: join.Realm, Member: join.Digest, At: at.UTC().Truncate(time.Second)}
	payload, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("countersign %s: %w", join.Ref, err)
	}
	env, by, err := seal(api.PayloadWitness, payload, key)
	if err != nil {
		return nil, fmt.Errorf("countersign %s: %w", join.Ref, err)
	}
	raw, err := json.Marshal(env)
	if err != nil {
		return nil, fmt.Errorf("countersign %s: %w", join.Ref, err)
	}
	return &Witness{Witness: w, By: by, Envelope: raw}, nil
}

func readWitness(raw []byte) (*Witness, error) {
	_, payload, by, err := unseal(raw, api.PayloadWitness)
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	w := Witness{By: by, Envelope: raw}
	if err := api.Decode(payload, maxAttached, &w.Witness); err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	return &w, nil
}

// Open is [Read] for an intent that only the owner can have signed. The body is
// checked, too.
func Open(raw []byte, realm api.RealmID, owner keys.Public) (Signed, error) {
	s, err := Read(raw)
	if err != nil {
		return Signed{}, err
	}
	if s.Signer != owner {
		return Signed{}, fmt.Errorf("open intent %s: %w: not by the owner %s", s.Ref, ErrSignature, owner)
	}
	if s.Realm != realm {
		return Signed{}, fmt.Errorf("open intent %s: %w: %s, this node is of %s", s.Ref, ErrRealm, s.Realm, realm)
	}
	if err := s.Validate(); err != nil {
		return Signed{}, fmt.Errorf("open intent %s: %w: %w", s.Ref, ErrContent, err)
	}
	return s, nil
}

type signer struct {
	key crypto.Signer
	pub keys.Public
}

// Sign hands data over as it is: Ed25519 hashes by itself.
func (s signer) Sign(_ context.Context, data []byte) ([]byte, error) {
	return s.key.Sign(rand.Reader, data, crypto.Hash(0))
}
func (s signer) KeyID() (string, error) { return s.pub.String(), nil }

type verifier struct{ key keys.Public }

func (v verifier) Verify(_ context.Context, data, sig []byte) error {
	if !ed25519.Verify(v.key.Key(), data, sig) {
		return ErrSignature
	}
	return nil
}
func (v verifier) KeyID() (string, error)   { return v.key.String(), nil }
func (v verifier) Public() crypto.PublicKey { return v.key.Key() }
