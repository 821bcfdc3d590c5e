package api

import (
	"errors"
	"fmt"
	"time"
)

// Standing is what a node is to a realm.
type Standing string

// The standings.
const (
	StandingMember    Standing = "member"
	StandingClient    Standing = "client"    // a command line without a node: for a time, and runs nothing
	StandingJoining   Standing = "joining"   // has an invite; no member has countersigned it yet
	StandingPending   Standing = "pending"   // knocks, and waits for the owner to admit it
	StandingRevoked   Standing = "revoked"   // was a member
	StandingUnclaimed Standing = "unclaimed" // follows nobody yet
)

// Member is a row of "realm peers": what the signed intents say of a node.
type Member struct {
	Peer     PeerID    `json:"peer"`
	Standing Standing  `json:"standing"` // member, revoked or pending
	Roles    []string  `json:"roles,omitempty"`
	By       string    `json:"by,omitempty"`      // "owner", or the invite's KeyName
	Witness  PeerID    `json:"witness,omitempty"` // who let it in, with an invite
	Since    time.Time `json:"since,omitzero"`    // of the standing
	Addr     string    `json:"addr,omitempty"`    // where a pending one knocked from
}

// InviteStatus is how an invite stands.
type InviteStatus struct {
	Key Name `json:"key"`
	Invite
	Used    int  `json:"used"` // members by it
	Revoked bool `json:"revoked,omitempty"`
}

// GrantStatus is how a grant stands.
type GrantStatus struct {
	Key Name `json:"key"`
	Grant
	Names   int  `json:"names"` // that it has signed and that stand
	Revoked bool `json:"revoked,omitempty"`
}

// MembersRequest asks for a page of members.
type MembersRequest struct {
	After PeerID `json:"after,omitempty"` // the last one of the page before
}

// Validate implements [Validator].
func (*MembersRequest) Validate() error { return nil }

// MaxMembers is the most members of a page.
const MaxMembers = 256

// MembersReply answers [SubjectMembers]. Invites and grants come with the first page.
type MembersReply struct {
	Members []Member       `json:"members"`
	More    bool           `json:"more,omitempty"`
	Invites []InviteStatus `json:"invites,omitempty"` // at most MaxMembers, the newest
	Grants  []GrantStatus  `json:"grants,omitempty"`  // at most MaxMembers, the newest
}

// Validate implements [Validator].
func (r *MembersReply) Validate() error {
	if max(len(r.Members), len(r.Invites), len(r.Grants)) > MaxMembers {
		return fmt.Errorf("members: at most %d on a page", MaxMembers)
	}
	for _, i := range r.Invites {
		if _, err := ParseKeyName(i.Key); err != nil {
			return fmt.Errorf("members: invite: %w", err)
		}
	}
	for _, g := range r.Grants {
		if _, err := ParseKeyName(g.Key); err != nil {
			return fmt.Errorf("members: grant: %w", err)
		}
	}
	return nil
}

// HistoryRequest asks what has been signed about a Ref.
type HistoryRequest struct {
	Ref
}

// VersionState says what has become of a version.
type VersionState string

// The states of a version.
const (
	VersionCurrent    VersionState = "current"
	VersionReplaced   VersionState = "replaced"   // by the version after it
	VersionFork       VersionState = "fork"       // lost to another one with its number
	VersionShadowed   VersionState = "shadowed"   // its signer has no say in this name
	VersionQuarantine VersionState = "quarantine" // issued in the future: it counts when that has come
)

// Version is an intent and what has become of it.
type Version struct {
	Intent
	Digest Digest       `json:"digest"`
	Signer Name         `json:"signer"` // [KeyName]
	By     string       `json:"by"`     // "owner", or what the grant says of the key
	State  VersionState `json:"state"`
}

// HistoryReply answers [SubjectHistory], the newest version first.
type HistoryReply struct {
	Versions []Version `json:"versions"`
}

// Validate implements [Validator]. Bodies are not looked at: versions of kinds that
// are not known here are told, too.
func (r *HistoryReply) Validate() error {
	for _, v := range r.Versions {
		if err := v.ValidateHeader(); err != nil {
			return fmt.Errorf("history: %w", err)
		}
		if _, err := ParseKeyName(v.Signer); err != nil {
			return fmt.Errorf("history: %w", err)
		}
	}
	return nil
}

// EnrollRequest is what a node with an invite shows to a member: its KindMember
// intent, signed by the invite's key, with the invite.
type EnrollRequest struct {
	Join []byte `json:"join"` // DSSE envelope
}

// Validate implements [Validator].
func (r *EnrollRequest) Validate() error {
	if len(r.Join) == 0 {
		return errors.New("enroll: join is missing")
	}
	return nil
}

// EnrollReply lets a node in.
type EnrollReply struct {
	Proof Proof      `json:"proof"` // to show from now on; its last intent is the join, countersigned
	Peers []PeerFact `json:"peers"` // members to dial
}

// Validate implements [Validator].
func (r *EnrollReply) Validate() error {
	if len(r.Peers) > MaxPeerList {
		return fmt.Errorf("enroll: %d peers, at most %d", len(r.Peers), MaxPeerList)
	}
	for _, p := range r.Peers {
		if err := p.Validate(); err != nil {
			return fmt.Errorf("enroll: %w", err)
		}
	}
	return r.Proof.Validate()
}

// ClaimRequest takes a node that waits for an owner ("realm up --tofu").
type ClaimRequest struct {
	Code  string   `json:"code"`            // that the node has printed
	Realm RealmID  `json:"realm"`           // to belong to
	Owner Name     `json:"owner"`           // key to follow, a [KeyName]
	Proof Proof    `json:"proof"`           // that makes the node a member
	Addrs []string `json:"addrs,omitempty"` // multiaddrs with /p2p of members to dial
}

// MaxCode is the longest pairing code, in bytes.
const MaxCode = 32

// Validate implements [Validator].
func (r *ClaimRequest) Validate() error {
	if r.Code == "" || len(r.Code) > MaxCode {
		return errors.New("claim: code is missing or too long")
	}
	if _, err := ParseKeyName(r.Owner); err != nil {
		return fmt.Errorf("claim: owner: %w", err)
	}
	if r.Realm != r.Proof.Realm {
		return errors.New("claim: the proof is of another realm")
	}
	if len(r.Addrs) > MaxPeerList {
		return fmt.Errorf("claim: at most %d addresses", MaxPeerList)
	}
	for _, a := range r.Addrs {
		if len(a) > maxPeerText {
			return errors.New("claim: an address is too long")
		}
	}
	return r.Proof.Validate()
}

// ClaimNode asks this node to claim another one for the owner.
type ClaimNode struct {
	Addr string `json:"addr"` // multiaddr with /p2p of the node
	ClaimRequest
}

// Validate implements [Validator].
func (r *ClaimNode) Validate() error {
	if r.Addr == "" || len(r.Addr) > maxPeerText {
		return errors.New("claim: addr is missing or too long")
	}
	return r.ClaimRequest.Validate()
}
