package intent

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// envelope is a DSSE envelope and what else its reader may need.
type envelope struct {
	dsse.Envelope
	Grant   []byte `json:"grant,omitempty"`   // an envelope
	Witness []byte `json:"witness,omitempty"` // an envelope
}

// Caps of what comes with an intent, in bytes.
const (
	maxGrant   = 8 << 10
	maxWitness = 2 << 10
)

// Validate implements [api.Validator].
func (e *envelope) Validate() error {
	if n := len(e.Signatures); n != 1 {
		return fmt.Errorf("%d signatures: want 1", n)
	}
	if len(e.Grant) > maxGrant || len(e.Witness) > maxWitness {
		return fmt.Errorf("%w: the grant or witness that came with it", api.ErrTooLarge)
	}
	return nil
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

// unseal checks the one signature of an envelope, and brings it into its one form.
func unseal(raw []byte, payloadType string) (env envelope, payload []byte, by keys.Public, err error) {
	env, by, err = open(raw, payloadType)
	if err != nil {
		return env, nil, by, err
	}
	v, err := dsse.NewEnvelopeVerifier(verifier{by})
	if err != nil {
		return env, nil, by, err
	}
	_, payload, err = v.VerifyAndDecode(context.Background(), &env.Envelope)
	if err != nil {
		return env, nil, by, fmt.Errorf("%w (key %s)", ErrSignature, by)
	}
	env.Payload = base64.StdEncoding.EncodeToString(payload)
	env.Signatures[0], err = canonical(env.Signatures[0])
	return env, payload, by, err
}

// open reads an envelope, and whose signature it claims to carry.
func open(raw []byte, payloadType string) (env envelope, by keys.Public, err error) {
	if err := api.Decode(raw, api.MaxEnvelope, &env); err != nil {
		return env, by, err
	}
	if env.PayloadType != payloadType {
		return env, by, fmt.Errorf("payload type %.80q: want %s", env.PayloadType, payloadType)
	}
	if by, err = keys.ParsePublic(env.Signatures[0].KeyID); err != nil {
		return env, by, fmt.Errorf("keyid: %w", err)
	}
	return env, by, nil
}

// canonical is s, of which there are several forms in base64, in the usual one.
func canonical(s dsse.Signature) (dsse.Signature, error) {
	sig, err := base64.StdEncoding.DecodeString(s.Sig)
	if err != nil {
		sig, err = base64.URLEncoding.DecodeString(s.Sig)
	}
	return dsse.Signature{KeyID: s.KeyID, Sig: base64.StdEncoding.EncodeToString(sig)}, err
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
