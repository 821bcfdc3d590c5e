package api

import (
	"crypto/ed25519"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"time"
)

// KeyName is the name under which intents about an Ed25519 public key are kept:
// its 32 bytes in lower-case base32, 52 characters. It is a [Name].
func KeyName(pub ed25519.PublicKey) Name {
	return Name(keyNameEncoding.EncodeToString(pub))
}

var keyNameEncoding = base32.NewEncoding(base32Digits).WithPadding(base32.NoPadding)

// ParseKeyName is the inverse of [KeyName].
func ParseKeyName(n Name) (ed25519.PublicKey, error) {
	b, err := keyNameEncoding.DecodeString(string(n))
	if err != nil || len(b) != ed25519.PublicKeySize || KeyName(b) != n {
		return nil, fmt.Errorf("name %.80q is not that of a key: want 52 characters a-z and 2-7", string(n))
	}
	return b, nil
}

// Rotation is the body of a [KindRotate] intent, signed by the owner's current
// key: from then on the owner is Key. Its name is [NameOwner], its Seq counts the
// rotations of the realm.
type Rotation struct {
	Key   Name   `json:"key"`   // the new key, a [KeyName]
	Proof []byte `json:"proof"` // signature of the new key over [RotationProof]: it is in the owner's hands
}

// NameOwner is the name of rotations, and of the intent that completes one.
const NameOwner Name = "owner"

// RotationProof is what the new key signs to take over from old in rotation seq of r.
func RotationProof(r RealmID, seq uint64, old ed25519.PublicKey) []byte {
	return fmt.Appendf(nil, "realm-rotation-v1\x00%s\x00%d\x00%s", r, seq, KeyName(old))
}

// Validate implements [Validator].
func (r *Rotation) Validate() error {
	if _, err := ParseKeyName(r.Key); err != nil {
		return fmt.Errorf("rotation: %w", err)
	}
	if len(r.Proof) != ed25519.SignatureSize {
		return errors.New("rotation: proof is missing")
	}
	return nil
}

// Settled is the body of a [KindSettle] intent, signed by the new owner: everything
// that goes on has been signed anew, and nothing of retired keys counts any more.
type Settled struct {
	// Names is about how many names the new key has signed something that does not end
	// until then, rotations left out. Who holds fewer of them waits for the others.
	Names int `json:"names,omitempty"`
}

// Validate implements [Validator].
func (s *Settled) Validate() error {
	if s.Names < 0 || s.Names > MaxSync {
		return fmt.Errorf("settled: names %d: want 0 to %d", s.Names, MaxSync)
	}
	return nil
}

// Right is something that a granted key may sign.
type Right string

// The rights.
const (
	RightPush Right = "push" // components, functions and manifests: push, stop, start, remove
	RightJob  Right = "job"  // jobs: submit and cancel
	// RightSecret is for secrets: set and remove, and give them to programs that it may push.
	RightSecret Right = "secret"
	RightVolume Right = "volume" // volumes: export, import, clear, restore and abandon
)

// Rights are all that can be granted.
func Rights() []Right { return []Right{RightPush, RightJob, RightSecret, RightVolume} }

// Grant is the body of a [KindGrant] intent, signed by the owner: the key that is
// the intent's name may sign some intents, too.
type Grant struct {
	May     []Right   `json:"may"`
	Prefix  string    `json:"prefix,omitempty"`  // of the names that it may use
	Tags    []string  `json:"tags,omitempty"`    // what it signs must target some of these; none: anything
	Since   time.Time `json:"since"`             // of the first version: the older of two grants wins a name
	Expires time.Time `json:"expires,omitzero"`  // nothing is taken from it later; zero: never
	Comment string    `json:"comment,omitempty"` // for people
}

// MaxComment is the longest comment, in bytes.
const MaxComment = 256

// Validate implements [Validator].
func (g *Grant) Validate() error {
	if len(g.May) == 0 || len(g.May) > len(Rights()) {
		return fmt.Errorf("grant: may: want some of %v", Rights())
	}
	for _, r := range g.May {
		if !slices.Contains(Rights(), r) {
			return fmt.Errorf("grant: may %.40q: want some of %v", string(r), Rights())
		}
	}
	if g.Prefix != "" {
		if _, err := ParseName(g.Prefix); err != nil {
			return fmt.Errorf("grant: prefix: %w", err)
		}
	}
	switch {
	case g.Since.IsZero():
		return errors.New("grant: since is missing")
	case !g.Expires.IsZero() && !g.Expires.After(g.Since):
		return errors.New("grant: it expires before it begins")
	case len(g.Comment) > MaxComment:
		return fmt.Errorf("grant: comment: at most %d bytes", MaxComment)
	}
	if err := ValidateTags(g.Tags); err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	return nil
}

// Invite is the body of a [KindInvite] intent, signed by the owner: whoever holds
// the key that is the intent's name may make nodes members.
type Invite struct {
	Roles   []string  `json:"roles,omitempty"`   // that members by it have, and no others; none: what they say
	Expires time.Time `json:"expires"`           // by the clock of the member that countersigns
	Uses    int       `json:"uses,omitempty"`    // members by it, as far as the countersigning one knows; 0: any number
	Comment string    `json:"comment,omitempty"` // for people
}

// MaxUses is the most members of one invite.
const MaxUses = 10_000

// Validate implements [Validator].
func (i *Invite) Validate() error {
	switch {
	case i.Expires.IsZero():
		return errors.New("invite: expires is missing")
	case i.Uses < 0 || i.Uses > MaxUses:
		return fmt.Errorf("invite: uses %d: want 0 to %d", i.Uses, MaxUses)
	case len(i.Comment) > MaxComment:
		return fmt.Errorf("invite: comment: at most %d bytes", MaxComment)
	}
	if err := ValidateTags(i.Roles); err != nil {
		return fmt.Errorf("invite: %w", err)
	}
	return nil
}

// Membership is the body of a [KindMember] intent: the node whose key is the
// intent's name is a member. It is signed by the owner, or by an invite's key and
// then countersigned by a member ([Witness]). A tombstone by the owner revokes it.
type Membership struct {
	Roles []string `json:"roles,omitempty"` // that it has, and no others; none: what it says. The owner's only
	// Expires makes it the membership of a client: a command line without a node of
	// its own. It is shown in the handshake alone, and kept by nobody. A granted key
	// may sign one, too.
	Expires time.Time `json:"expires,omitzero"`
}

// MaxClient is the longest membership of a client.
const MaxClient = 24 * time.Hour

// Validate implements [Validator].
func (m *Membership) Validate() error {
	if err := ValidateTags(m.Roles); err != nil {
		return fmt.Errorf("membership: %w", err)
	}
	return nil
}

// Witness is what a member says when it lets a node in that shows an invite: by
// its clock the invite was good. It is the payload of a DSSE envelope of type
// [PayloadWitness], signed by the member's node key.
type Witness struct {
	Realm  RealmID   `json:"realm"`
	Member Digest    `json:"member"` // [IntentDigest] of the KindMember intent
	At     time.Time `json:"at"`
}

// PayloadWitness is the DSSE payload type of a [Witness].
const PayloadWitness = "application/vnd.realm.witness.v1+json"

// WitnessedDigest is the name of an intent that carries a witness: of the intent
// without it, and of the payload that the key of member has signed. Two members that
// let the same node in make two intents.
func WitnessedDigest(intent Digest, member ed25519.PublicKey, payload []byte) Digest {
	return Sum(slices.Concat([]byte("realm-witnessed-v1\x00"), intent[:], member, payload))
}

// Validate implements [Validator].
func (w *Witness) Validate() error {
	if _, err := ParseRealmID(string(w.Realm)); err != nil {
		return fmt.Errorf("witness: %w", err)
	}
	if w.Member.IsZero() || w.At.IsZero() {
		return errors.New("witness: member or at is missing")
	}
	return nil
}

// Proof is what a node shows in the handshake of a connection: the signed intents
// from which its membership follows, for those who do not know it yet. A node that
// waits to be admitted shows none.
type Proof struct {
	Realm   RealmID  `json:"realm"`
	Intents [][]byte `json:"intents,omitempty"` // DSSE envelopes
}

// Limits of a Proof. QUIC carries a certificate of up to 16 KiB.
const MaxProofIntents = 16

// Validate implements [Validator].
func (p *Proof) Validate() error {
	if _, err := ParseRealmID(string(p.Realm)); err != nil {
		return fmt.Errorf("proof: %w", err)
	}
	if len(p.Intents) > MaxProofIntents {
		return fmt.Errorf("proof: %d intents, at most %d", len(p.Intents), MaxProofIntents)
	}
	return nil
}
