// Package intent signs and checks what the owner wants: an [api.Intent] inside a
// DSSE envelope (https://github.com/secure-systems-lab/dsse, protocol v1.0.2).
//
// Checking is in two steps with two owners. [Open] needs only the pinned key: it
// tells whether the bytes are the owner's and mean something to this realm.
// Whether they are *news* is the caller's question, answered by comparing
// [Version]s against its own high-water marks (package trust).
package intent

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Errors that callers branch on.
var (
	ErrSignature = errors.New("not signed by the owner that this node trusts")
	ErrRealm     = errors.New("made for another realm")
	// ErrContent marks an intent that the owner has signed and this version cannot
	// read: a newer one may.
	ErrContent = errors.New("signed by the owner, but not understood by this version")
)

// Signed is an intent whose signature has been checked.
type Signed struct {
	api.Intent
	Digest   api.Digest  // of the payload, as signed
	Signer   keys.Public // whose signature it carries
	Envelope []byte      // as received
}

// Version is the place of s in the sequence of its Ref.
func (s Signed) Version() Version { return Version{Seq: s.Seq, Digest: s.Digest} }

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
	pub := keys.PublicOf(key)
	if pub.IsZero() {
		return Signed{}, fmt.Errorf("sign intent %s: the key is a %T, want Ed25519", in.Ref, key.Public())
	}
	payload, err := json.Marshal(in)
	if err != nil {
		return Signed{}, fmt.Errorf("sign intent %s: %w", in.Ref, err)
	}
	signer, err := dsse.NewEnvelopeSigner(signer{key, pub})
	if err != nil {
		return Signed{}, fmt.Errorf("sign intent %s: %w", in.Ref, err)
	}
	env, err := signer.SignPayload(context.Background(), api.PayloadIntent, payload)
	if err != nil {
		return Signed{}, fmt.Errorf("sign intent %s: %w", in.Ref, err)
	}
	raw, err := json.Marshal(env)
	if err != nil {
		return Signed{}, fmt.Errorf("sign intent %s: %w", in.Ref, err)
	}
	if len(raw) > api.MaxEnvelope {
		return Signed{}, fmt.Errorf("sign intent %s: %w: %d bytes, at most %d: shorten its args or env", in.Ref, api.ErrTooLarge, len(raw), api.MaxEnvelope)
	}
	return Signed{Intent: in, Digest: api.Sum(payload), Signer: pub, Envelope: raw}, nil
}

// Open checks an envelope from outside: its size, the owner's signature over
// exactly these bytes, the realm, and that the intent in it is well formed.
func Open(envelope []byte, realm api.RealmID, owner keys.Public) (Signed, error) {
	var env envelopeShape
	if err := api.Decode(envelope, api.MaxEnvelope, &env); err != nil {
		return Signed{}, fmt.Errorf("open intent: %w", err)
	}
	verifier, err := dsse.NewEnvelopeVerifier(verifier{owner})
	if err != nil {
		return Signed{}, fmt.Errorf("open intent: %w", err)
	}
	de := dsse.Envelope(env)
	if _, err := verifier.Verify(context.Background(), &de); err != nil {
		return Signed{}, fmt.Errorf("open intent: %w (%s)", ErrSignature, owner)
	}
	payload, err := de.DecodeB64Payload()
	if err != nil {
		return Signed{}, fmt.Errorf("open intent: %w", err)
	}
	s := Signed{Digest: api.Sum(payload), Signer: owner, Envelope: envelope}
	if err := api.Decode(payload, api.MaxEnvelope, &s.Intent); err != nil {
		return Signed{}, fmt.Errorf("open intent: %w: %w", ErrContent, err)
	}
	if s.Realm != realm {
		return Signed{}, fmt.Errorf("open intent %s: %w: %s, this node is of %s", s.Ref, ErrRealm, s.Realm, realm)
	}
	return s, nil
}

// envelopeShape is a DSSE envelope that can check its own shape.
type envelopeShape dsse.Envelope

// maxSignatures bounds the work that an unchecked envelope can ask for.
const maxSignatures = 4

func (e *envelopeShape) Validate() error {
	if e.PayloadType != api.PayloadIntent {
		return fmt.Errorf("payload type %.80q: want %s", e.PayloadType, api.PayloadIntent)
	}
	if n := len(e.Signatures); n < 1 || n > maxSignatures {
		return fmt.Errorf("%d signatures: want 1 to %d", n, maxSignatures)
	}
	return nil
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
