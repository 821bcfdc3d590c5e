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
	"crypto"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Errors that callers branch on.
var (
	ErrSignature = errors.New("the signature is wrong")
	// ErrContent marks an intent that is signed, and that this version cannot read: a
	// newer one may.
	ErrContent = errors.New("signed, but not understood by this version")
)

// Signed is an intent whose signature has been checked.
type Signed struct {
	api.Intent
	Digest   api.Digest  // its name: [api.IntentDigest], [api.WitnessedDigest]
	Signer   keys.Public // whose signature it carries
	Grant    []byte      // envelope of the grant or invite that came with it; nil: none
	Witness  *Witness    // who let the node in, where an invite's key has signed; nil: nobody yet
	Envelope []byte      // all of it, in its one form
	alone    api.Digest  // without the witness
}

// By is the key of s's signer as a name.
func (s Signed) By() api.Name { return api.KeyName(s.Signer.Key()) }

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
	digest := api.IntentDigest(pub.Key(), payload)
	s := Signed{Intent: in, Digest: digest, alone: digest, Signer: pub}
	if err := s.wrap(envelope{Envelope: *env}); err != nil {
		return Signed{}, fmt.Errorf("sign intent %s: %w", in.Ref, err)
	}
	return s, nil
}

// wrap sets the envelope of s to env with what s has besides.
func (s *Signed) wrap(env envelope) error {
	env.Grant = s.Grant
	env.Witness = nil
	if s.Witness != nil {
		env.Witness = s.Witness.Envelope
	}
	if err := env.Validate(); err != nil {
		return err
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

// WithGrant is s with the envelope of the grant or invite that its signer holds; nil
// takes one away.
func (s Signed) WithGrant(grant []byte) (Signed, error) {
	s.Grant = grant
	return s, s.rewrap()
}

// WithWitness is s, countersigned.
func (s Signed) WithWitness(w *Witness) (Signed, error) {
	s, err := s.countersigned(w)
	if err != nil {
		return s, fmt.Errorf("wrap intent %s: %w", s.Ref, err)
	}
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
	var in shared
	if err := api.Decode(payload, api.MaxEnvelope, &in); err != nil {
		return Signed{}, fmt.Errorf("read intent: %w: %w", ErrContent, err)
	}
	s := Signed{Intent: api.Intent(in), Signer: by, alone: api.IntentDigest(by.Key(), payload)}
	if len(env.Grant) > 0 {
		s.Grant = env.Grant
	}
	var w *Witness
	if len(env.Witness) > 0 {
		if w, err = readWitness(env.Witness); err != nil {
			return Signed{}, fmt.Errorf("read intent %s: %w", s.Ref, err)
		}
	}
	if s, err = s.countersigned(w); err == nil {
		err = s.wrap(env)
	}
	if err != nil {
		return Signed{}, fmt.Errorf("read intent %s: %w", s.Ref, err)
	}
	return s, nil
}

// Peek is the digest that [Read] would give an envelope, if it is one that Read
// takes: no signature is checked. With it, what is held already is passed over at
// little cost.
func Peek(raw []byte) (d api.Digest, ok bool) {
	payload, by, witness, err := peek(raw, api.PayloadIntent)
	if err != nil {
		return d, false
	}
	d = api.IntentDigest(by.Key(), payload)
	if len(witness) == 0 {
		return d, true
	}
	if payload, by, _, err = peek(witness, api.PayloadWitness); err != nil {
		return api.Digest{}, false
	}
	return api.WitnessedDigest(d, by.Key(), payload), true
}

func peek(raw []byte, payloadType string) (payload []byte, by keys.Public, witness []byte, err error) {
	env, by, err := open(raw, payloadType)
	if err != nil {
		return nil, by, nil, err
	}
	payload, err = env.DecodeB64Payload()
	return payload, by, env.Witness, err
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
