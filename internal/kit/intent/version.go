package intent

import (
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

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
