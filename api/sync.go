package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// SyncBuckets is how many parts the set of intents is compared in: an intent is in
// the part that the first byte of its digest names.
const SyncBuckets = 256

// SyncDigests says what a member holds, by part: SHA-256 over the digests of its
// intents, in ascending order. Equal parts hold the same intents.
type SyncDigests struct {
	Count   int       `json:"count"`   // of intents
	Buckets []Digest  `json:"buckets"` // SyncBuckets of them; the zero Digest for an empty part
	Now     time.Time `json:"now"`     // by the clock of the member
}

// Validate implements [Validator].
func (s *SyncDigests) Validate() error {
	if len(s.Buckets) != SyncBuckets {
		return fmt.Errorf("sync: %d parts, want %d", len(s.Buckets), SyncBuckets)
	}
	if s.Count < 0 || s.Count > MaxSync {
		return fmt.Errorf("sync: %d intents, at most %d", s.Count, MaxSync)
	}
	return nil
}

// SyncParts asks for the entries of some parts.
type SyncParts struct {
	Buckets []int `json:"buckets"`
}

// Validate implements [Validator].
func (s *SyncParts) Validate() error {
	if len(s.Buckets) == 0 || len(s.Buckets) > SyncBuckets {
		return fmt.Errorf("sync: ask for 1 to %d parts", SyncBuckets)
	}
	for _, b := range s.Buckets {
		if b < 0 || b >= SyncBuckets {
			return fmt.Errorf("sync: part %d: want 0 to %d", b, SyncBuckets-1)
		}
	}
	return nil
}

// SyncEntry names an intent that a member holds.
type SyncEntry struct {
	Ref
	Signer Name   `json:"signer"` // [KeyName]
	Seq    uint64 `json:"seq"`
	Digest Digest `json:"digest"`
}

// MaxSync is the most intents that a member holds, and MaxSyncBytes the size of an
// answer to [SyncParts].
const (
	MaxSync      = 100_000
	MaxSyncBytes = 32 << 20
)

// SyncEntries are the intents of the parts that were asked for.
type SyncEntries struct {
	Entries []SyncEntry `json:"entries"`
}

// Validate implements [Validator].
func (s *SyncEntries) Validate() error {
	if len(s.Entries) > MaxSync {
		return fmt.Errorf("sync: %d entries, at most %d", len(s.Entries), MaxSync)
	}
	for _, e := range s.Entries {
		if err := e.Validate(); err != nil {
			return fmt.Errorf("sync: %w", err)
		}
		if _, err := ParseKeyName(e.Signer); err != nil {
			return fmt.Errorf("sync: %w", err)
		}
		if e.Seq == 0 || e.Seq > MaxSeq || e.Digest.IsZero() {
			return fmt.Errorf("sync: %s: seq or digest is wrong", e.Ref)
		}
	}
	return nil
}

// SyncFetch asks for envelopes by the digests of their intents.
type SyncFetch struct {
	Digests []Digest `json:"digests"`
}

// MaxSyncFetch is the most envelopes of one answer, and MaxFetchBytes its size.
const (
	MaxSyncFetch  = 2048
	MaxFetchBytes = 16 << 20
)

// Validate implements [Validator].
func (s *SyncFetch) Validate() error {
	if len(s.Digests) == 0 || len(s.Digests) > MaxSyncFetch {
		return fmt.Errorf("sync: ask for 1 to %d intents at a time", MaxSyncFetch)
	}
	for _, d := range s.Digests {
		if d.IsZero() {
			return errors.New("sync: a digest is missing")
		}
	}
	return nil
}

// SyncIntents are envelopes; unknown ones are left out, and so are those that
// would make the answer larger than MaxFetchBytes: they are asked for again.
type SyncIntents struct {
	Envelopes []json.RawMessage `json:"envelopes"`
}

// Validate implements [Validator].
func (s *SyncIntents) Validate() error {
	if len(s.Envelopes) > MaxSyncFetch {
		return fmt.Errorf("sync: %d intents, at most %d", len(s.Envelopes), MaxSyncFetch)
	}
	return nil
}
