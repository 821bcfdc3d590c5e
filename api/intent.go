package api

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kind says what an intent is about.
type Kind string

// The kinds that nodes of this version act on. Stopping and removing are not
// kinds: they are later versions of the same (kind, name), so that one sequence
// orders them against what they stop (docs/adr/0002).
//
// Intents of other kinds are kept and passed on for the owner, so that members of
// different versions hold the same set.
const (
	KindComponent Kind = "component" // body: Component
	KindFunction  Kind = "function"  // body: Function

	KindRotate Kind = "rotate" // body: Rotation; name: NameOwner
	KindSettle Kind = "settle" // body: Settled; name: NameOwner
	KindGrant  Kind = "grant"  // body: Grant; name: the key
	KindInvite Kind = "invite" // body: Invite; name: the key
	KindMember Kind = "member" // body: Membership; name: the key of the node

	KindManifest Kind = "manifest" // body: Manifest
	KindNode     Kind = "node"     // body: NodeSettings; name: the key of the node
	KindPin      Kind = "pin"      // body: Pin

	KindJob Kind = "job" // body: Job; name: the id of the job

	KindSecret Kind = "secret" // body: Secret
	KindVolume Kind = "volume" // body: Volume
)

// Trust reports whether intents of kind k say who may do what. They are applied
// before others.
func (k Kind) Trust() bool {
	switch k {
	case KindRotate, KindSettle, KindGrant, KindInvite, KindMember:
		return true
	}
	return false
}

// Workload reports whether intents of kind k are about programs.
func (k Kind) Workload() bool { return k == KindComponent || k == KindFunction }

// targets reports whether intents of kind k may be for some members only.
func (k Kind) targets() bool { return k.Workload() || k == KindJob || k == KindSecret }

// Known reports whether this version knows what intents of kind k mean.
func (k Kind) Known() bool {
	switch k {
	case KindManifest, KindNode, KindPin, KindJob, KindSecret, KindVolume:
		return true
	}
	return k.Workload() || k.Trust()
}

// Right is what a granted key needs to sign intents of kind k; "" for those that
// are the owner's alone.
func (k Kind) Right() Right {
	switch k {
	case KindComponent, KindFunction, KindManifest, KindPin:
		return RightPush
	case KindJob:
		return RightJob
	case KindSecret:
		return RightSecret
	case KindVolume:
		return RightVolume
	}
	return ""
}

const maxKind = 20

// Validate checks the form: 1 to 20 letters a-z.
func (k Kind) Validate() error {
	if k == "" || len(k) > maxKind || strings.Trim(string(k), "abcdefghijklmnopqrstuvwxyz") != "" {
		return fmt.Errorf("kind %.40q: want 1 to %d letters a-z", string(k), maxKind)
	}
	return nil
}

// Ref names the thing that a sequence of intents is about.
type Ref struct {
	Kind Kind `json:"kind"`
	Name Name `json:"name"`
}

// Validate implements [Validator].
func (r Ref) Validate() error {
	if err := r.Kind.Validate(); err != nil {
		return err
	}
	_, err := ParseName(string(r.Name))
	return err
}

func (r Ref) String() string { return string(r.Kind) + "/" + string(r.Name) }

// Intent is what the owner wants of the mesh; signed, it is the payload of a
// DSSE envelope of type [PayloadIntent].
//
// Intents about one Ref are ordered by Seq, equal ones by their digest (the larger
// wins), so that all nodes agree without a clock.
type Intent struct {
	Realm RealmID `json:"realm"`
	Ref
	Seq       uint64          `json:"seq"`                 // 1 for the first; highest seen + 1
	Prev      Digest          `json:"prev,omitzero"`       // digest of the intent this one replaces
	Issued    time.Time       `json:"issued"`              // shown to people; never part of the order
	Expires   time.Time       `json:"expires,omitzero"`    // commands only; desired state ends by a tombstone
	Target    Target          `json:"target,omitzero"`     // whom it is for; empty: every member
	Tombstone bool            `json:"tombstone,omitempty"` // the thing is removed; there is no Body
	Body      json.RawMessage `json:"body,omitempty"`      // by Kind
}

// PayloadIntent is the DSSE payload type of an [Intent].
const PayloadIntent = "application/vnd.realm.intent.v1+json"

// IntentDigest is the name of a signed intent. The signer is part of it: two keys
// that sign the same payload make two intents.
func IntentDigest(signer ed25519.PublicKey, payload []byte) Digest {
	return Sum(slices.Concat([]byte("realm-intent-v1\x00"), signer, payload))
}

// MaxSeq bounds sequence numbers to those that survive JSON readers which keep
// numbers as float64.
const MaxSeq = 1<<53 - 1

// Validate checks everything that can be checked without keys or state, the
// body included; kinds that this version does not know are refused.
func (i Intent) Validate() error {
	if err := i.ValidateHeader(); err != nil {
		return err
	}
	if i.Tombstone {
		return nil
	}
	switch i.Kind {
	case KindComponent, KindFunction:
		_, err := i.Workload()
		return err
	case KindRotate:
		return Decode(i.Body, maxTrustBody, new(Rotation))
	case KindSettle:
		return Decode(i.Body, maxTrustBody, new(Settled))
	case KindGrant:
		return Decode(i.Body, maxTrustBody, new(Grant))
	case KindInvite:
		return Decode(i.Body, maxTrustBody, new(Invite))
	case KindMember:
		return Decode(i.Body, maxTrustBody, new(Membership))
	case KindManifest:
		return Decode(i.Body, MaxEnvelope, new(Manifest))
	case KindNode:
		return Decode(i.Body, maxTrustBody, new(NodeSettings))
	case KindPin:
		return Decode(i.Body, maxTrustBody, new(Pin))
	case KindSecret:
		return Decode(i.Body, MaxEnvelope, new(Secret))
	case KindVolume:
		return Decode(i.Body, MaxEnvelope, new(Volume))
	case KindJob:
		_, err := i.Job()
		return err
	}
	return fmt.Errorf("kind %s is not known to this version", i.Kind)
}

// maxTrustBody caps the body of an intent about keys, in bytes.
const maxTrustBody = 4 << 10

// ValidateHeader is [Intent.Validate] without the body: what must hold for an
// intent to be ordered, kept and passed on, also by those who do not know its kind.
func (i Intent) ValidateHeader() error {
	if _, err := ParseRealmID(string(i.Realm)); err != nil {
		return err
	}
	if err := i.Ref.Validate(); err != nil {
		return err
	}
	switch {
	case i.Seq == 0 || i.Seq > MaxSeq:
		return fmt.Errorf("seq %d is out of range", i.Seq)
	case i.Seq > 1 && i.Prev.IsZero():
		return errors.New("prev is missing")
	case i.Seq == 1 && !i.Prev.IsZero():
		return errors.New("the first intent has a prev")
	case i.Issued.IsZero():
		return errors.New("issued is missing")
	case !i.Expires.IsZero() && i.Kind.Known() && i.Kind != KindJob:
		return fmt.Errorf("a %s does not expire; remove it with a tombstone", i.Kind)
	case i.Tombstone && (i.Kind == KindRotate || i.Kind == KindSettle):
		return fmt.Errorf("a %s cannot be taken back", i.Kind)
	case i.Kind.Known() && !i.Kind.targets() && (len(i.Target.Peers) > 0 || len(i.Target.Tags) > 0):
		return fmt.Errorf("a %s is for every member: it has no target", i.Kind)
	case i.Tombstone && len(i.Body) != 0:
		return errors.New("a tombstone has no body")
	}
	if err := i.validateName(); err != nil {
		return err
	}
	return i.Target.Validate()
}

// validateName checks the names of intents about keys.
func (i Intent) validateName() error {
	switch i.Kind {
	case KindRotate, KindSettle:
		if i.Name != NameOwner {
			return fmt.Errorf("%s %s: its name is always %s", i.Kind, i.Name, NameOwner)
		}
	case KindGrant, KindInvite, KindMember, KindNode:
		if _, err := ParseKeyName(i.Name); err != nil {
			return fmt.Errorf("%s: %w", i.Kind, err)
		}
	}
	return nil
}

// Workload decodes the body of a component or function. Tombstones have none.
func (i Intent) Workload() (Workload, error) {
	if i.Tombstone {
		return nil, errors.New("a tombstone has no body")
	}
	var w interface {
		Workload
		Validator
	}
	switch i.Kind {
	case KindComponent:
		w = new(Component)
	case KindFunction:
		w = new(Function)
	default:
		return nil, fmt.Errorf("a %s is no program", i.Kind)
	}
	if err := Decode(i.Body, MaxEnvelope, w); err != nil {
		return nil, err
	}
	return w, nil
}

// Job decodes the body of a job. Tombstones have none.
func (i Intent) Job() (*Job, error) {
	if i.Kind != KindJob || i.Tombstone {
		return nil, fmt.Errorf("a %s without a job", i.Kind)
	}
	j := new(Job)
	if err := Decode(i.Body, MaxEnvelope, j); err != nil {
		return nil, err
	}
	switch {
	case j.Type == JobOneShot && (i.Expires.IsZero() || i.Expires.Sub(i.Issued) > MaxJobLife+time.Hour):
		return nil, fmt.Errorf("a one-shot job expires within %s", MaxJobLife)
	case j.Type != JobOneShot && !i.Expires.IsZero():
		return nil, fmt.Errorf("a %s job does not expire: remove it", j.Type)
	}
	return j, nil
}

// Target selects members: each non-empty list must match (any of its entries);
// an empty Target selects all.
type Target struct {
	Peers []PeerID `json:"peers,omitempty"`
	Tags  []string `json:"tags,omitempty"` // any of them among the member's roles
}

// Limits of a Target.
const (
	maxTargetPeers = 256
	maxTags        = 32
)

// Validate implements [Validator].
func (t Target) Validate() error {
	if len(t.Peers) > maxTargetPeers || len(t.Tags) > maxTags {
		return fmt.Errorf("target: at most %d peers and %d tags", maxTargetPeers, maxTags)
	}
	for _, p := range t.Peers {
		if _, err := ParsePeerID(string(p)); err != nil {
			return fmt.Errorf("target: %w", err)
		}
	}
	return ValidateTags(t.Tags)
}

// Matches reports whether a member with this id and these roles is meant.
func (t Target) Matches(id PeerID, roles []string) bool {
	return (len(t.Peers) == 0 || slices.Contains(t.Peers, id)) && (len(t.Tags) == 0 || slices.ContainsFunc(t.Tags, func(tag string) bool { return slices.Contains(roles, tag) }))
}

// ValidateTags checks roles and tags: they follow the rules of a [Name].
func ValidateTags(tags []string) error {
	if len(tags) > maxTags {
		return fmt.Errorf("%d tags: at most %d", len(tags), maxTags)
	}
	for _, s := range tags {
		if _, err := ParseName(s); err != nil {
			return fmt.Errorf("tag: %w", err)
		}
	}
	return nil
}
