package api

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Volume is the body of a [KindVolume] intent: what the owner has decided of the copies of
// a volume. A copy is the folder of one member. It has an epoch: 0, or one more with
// each decision that its member knew of when the copy was made. A copy counts as long as
// its epoch is below none of Since, Cleared and what Copies says of its member; one that
// does not count is given to no program, and set aside by its member until the owner has
// it cleared.
//
// Each version repeats what those before have said, since members may have missed them.
// A volume nobody has decided anything about has no intent, and all its copies count.
type Volume struct {
	Since uint64 `json:"since,omitempty"`
	// Cleared: copies of an epoch below do not count either, and are not even set aside.
	Cleared uint64       `json:"cleared,omitempty"`
	Copies  []VolumeCopy `json:"copies,omitempty"` // by peer, each once
}

// VolumeCopy is what is decided of one member's copy.
type VolumeCopy struct {
	Peer    PeerID `json:"peer"`
	Since   uint64 `json:"since"`
	Cleared uint64 `json:"cleared,omitempty"` // as that of a [Volume]
	// Files, a zip archive, are what the member's copy of the epoch Since begins with; nil: none
	// is asked for.
	Files *BlobInfo `json:"files,omitempty"`
}

// MaxVolumeCopies is the most members a volume's intent names.
const MaxVolumeCopies = 128

// Validate implements [Validator].
func (v *Volume) Validate() error {
	if v.Since > MaxSeq || v.Cleared > MaxSeq || len(v.Copies) > MaxVolumeCopies {
		return fmt.Errorf("volume: since is out of range, or more than %d copies", MaxVolumeCopies)
	}
	for i, c := range v.Copies {
		if i > 0 && v.Copies[i-1].Peer >= c.Peer {
			return errors.New("volume: copies are not in the order of their peers, each once")
		}
		if err := c.validate(); err != nil {
			return fmt.Errorf("volume: %w", err)
		}
	}
	return nil
}

func (c *VolumeCopy) validate() error {
	if _, err := ParsePeerID(string(c.Peer)); err != nil {
		return err
	}
	if c.Since == 0 || c.Since > MaxSeq || c.Cleared > MaxSeq {
		return fmt.Errorf("since %d of %s is out of range", c.Since, c.Peer.Short())
	}
	return validateFiles(c.Files)
}

// validateFiles checks the archive of a mount; nil: there is none.
func validateFiles(b *BlobInfo) error {
	if b == nil {
		return nil
	}
	if err := b.Validate(); err != nil {
		return fmt.Errorf("files: %w", err)
	}
	if b.Size > MaxMountFiles {
		return fmt.Errorf("files of %d bytes, at most %d", b.Size, int64(MaxMountFiles))
	}
	return nil
}

// Copy is what v says of p's copy by name; false: nothing.
func (v *Volume) Copy(p PeerID) (VolumeCopy, bool) {
	i := slices.IndexFunc(v.Copies, func(c VolumeCopy) bool { return c.Peer == p })
	if i < 0 {
		return VolumeCopy{}, false
	}
	return v.Copies[i], true
}

// Epoch is that of a copy which p makes now: the lowest that counts there.
func (v *Volume) Epoch(p PeerID) uint64 {
	c, _ := v.Copy(p)
	return max(v.Since, v.Cleared, c.Since, c.Cleared)
}

// Counts reports whether a copy of epoch that p has still counts.
func (v *Volume) Counts(p PeerID, epoch uint64) bool { return epoch >= v.Epoch(p) }

// IsCleared reports whether a copy of epoch that p has is to be removed for good.
func (v *Volume) IsCleared(p PeerID, epoch uint64) bool {
	c, _ := v.Copy(p)
	return epoch < max(v.Cleared, c.Cleared)
}

// Begins are the files that a copy begins with which p makes now; nil: the owner has
// given none for it.
func (v *Volume) Begins(p PeerID) *BlobInfo {
	if c, ok := v.Copy(p); ok && c.Since == v.Epoch(p) {
		return c.Files
	}
	return nil
}

// Holdings is what a member says of the copies of volumes that it has, signed by its node
// key ([PayloadHoldings]): others pass it on while it is away, so that nobody begins anew
// what is there already. Of two statements of a member the one with the larger Seq counts.
type Holdings struct {
	Realm   RealmID      `json:"realm"`
	Peer    PeerID       `json:"peer"`
	Seq     uint64       `json:"seq"`
	Volumes []HeldVolume `json:"volumes,omitempty"` // by name, each once
}

// HeldVolume is one copy of a volume.
type HeldVolume struct {
	Volume Name   `json:"volume"`
	User   Name   `json:"user,omitempty"` // the component that it is of; empty: none has had it yet
	Epoch  uint64 `json:"epoch,omitempty"`
}

// PayloadHoldings is the DSSE payload type of [Holdings].
const PayloadHoldings = "application/vnd.realm.holdings.v1+json"

// Caps of holdings.
const (
	MaxHeldVolumes = 256      // copies on one member
	MaxHoldings    = 64 << 10 // bytes of a signed statement
	// MaxTold is how many statements a member tells of at once, with at most MaxToldBytes.
	MaxTold      = 64
	MaxToldBytes = 96 << 10
)

// Validate implements [Validator].
func (h *Holdings) Validate() error {
	if _, err := ParseRealmID(string(h.Realm)); err != nil {
		return fmt.Errorf("holdings: %w", err)
	}
	if _, err := ParsePeerID(string(h.Peer)); err != nil {
		return fmt.Errorf("holdings: %w", err)
	}
	switch {
	case h.Seq == 0 || h.Seq > MaxSeq:
		return errors.New("holdings: seq is out of range")
	case len(h.Volumes) > MaxHeldVolumes:
		return fmt.Errorf("holdings: %d volumes, at most %d", len(h.Volumes), MaxHeldVolumes)
	}
	for i, v := range h.Volumes {
		if err := v.validate(); err != nil {
			return fmt.Errorf("holdings: %w", err)
		}
		if i > 0 && h.Volumes[i-1].Volume >= v.Volume {
			return errors.New("holdings: volumes are not in the order of their names, each once")
		}
	}
	return nil
}

func (v *HeldVolume) validate() error {
	if _, err := ParseName(string(v.Volume)); err != nil {
		return fmt.Errorf("volume: %w", err)
	}
	if v.User != "" {
		if _, err := ParseName(string(v.User)); err != nil {
			return fmt.Errorf("volume %s: user: %w", v.Volume, err)
		}
	}
	if v.Epoch > MaxSeq {
		return fmt.Errorf("volume %s: epoch is out of range", v.Volume)
	}
	return nil
}

// TellHoldings is what runnerd has meshd tell others ([SubjectHoldings]): signed
// [Holdings], its own and those of members that are away. It replaces what was told before.
type TellHoldings struct {
	Statements [][]byte `json:"statements"`
}

// Validate implements [Validator].
func (t *TellHoldings) Validate() error { return validateStatements(t.Statements) }

func validateStatements(all [][]byte) error {
	if len(all) > MaxTold {
		return fmt.Errorf("holdings: %d statements, at most %d", len(all), MaxTold)
	}
	sum := 0
	for _, s := range all {
		sum += len(s)
	}
	if sum > MaxToldBytes {
		return fmt.Errorf("holdings: %d bytes, at most %d", sum, MaxToldBytes)
	}
	return nil
}

// VolumesReply answers [RouteVolumes]: the copies that a member has.
type VolumesReply struct {
	Volumes []VolumeInfo `json:"volumes"`
}

// VolumeInfo is one copy of a volume, as its member sees it.
type VolumeInfo struct {
	HeldVolume
	Limit   int64     `json:"limit"` // bytes; 0: it has never been given to a program
	Used    int64     `json:"used"`  // bytes, with what names take
	Files   int       `json:"files"`
	Created time.Time `json:"created"`
	Seed    Digest    `json:"seed,omitzero"` // of the files that it began with
	InUse   bool      `json:"in_use"`        // a program has it open
	// Void: it counts no more, and is set aside; the owner can have it cleared.
	Void bool `json:"void,omitempty"`
}

// Validate implements [Validator].
func (r *VolumesReply) Validate() error {
	if len(r.Volumes) > MaxHeldVolumes {
		return fmt.Errorf("%d volumes, at most %d", len(r.Volumes), MaxHeldVolumes)
	}
	for _, v := range r.Volumes {
		if err := v.validate(); err != nil {
			return err
		}
		if v.Limit < 0 || v.Used < 0 || v.Files < 0 {
			return fmt.Errorf("volume %s: a number is out of range", v.Volume)
		}
	}
	return nil
}

// VolumeFiles answers [RouteVolumeFiles]: what is in a copy of a volume, by path.
type VolumeFiles struct {
	Files []VolumeFile `json:"files"`
	More  bool         `json:"more,omitempty"` // there are more than [MaxVolumeFiles]
}

// VolumeFile is a file or folder of a volume, or a link.
type VolumeFile struct {
	Path string    `json:"path"` // with slashes, below the volume
	Kind string    `json:"kind"` // file, dir or link
	Size int64     `json:"size"` // bytes, of a file
	Time time.Time `json:"time"`
}

// MaxVolumeFiles is the most that is told of a volume's files at once.
const MaxVolumeFiles = 500

// Validate implements [Validator].
func (f *VolumeFiles) Validate() error {
	if len(f.Files) > MaxVolumeFiles {
		return fmt.Errorf("%d files, at most %d", len(f.Files), MaxVolumeFiles)
	}
	return nil
}

// VolumeRead is what somebody who may signs to be given the files of a volume, in an
// envelope of its own ([PayloadVolumeRead]): members read no volumes of each other.
type VolumeRead struct {
	Realm   RealmID   `json:"realm"`
	Volume  Name      `json:"volume"`
	Peer    PeerID    `json:"peer"` // who has the copy
	Issued  time.Time `json:"issued"`
	Expires time.Time `json:"expires"` // at most [MaxVolumeRead] later
}

// PayloadVolumeRead is the DSSE payload type of a [VolumeRead].
const PayloadVolumeRead = "application/vnd.realm.read.v1+json"

// MaxVolumeRead is how long a [VolumeRead] is good for at most.
const MaxVolumeRead = time.Hour

// Validate implements [Validator].
func (r *VolumeRead) Validate() error {
	if _, err := ParseRealmID(string(r.Realm)); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if _, err := ParseName(string(r.Volume)); err != nil {
		return fmt.Errorf("read: volume: %w", err)
	}
	if _, err := ParsePeerID(string(r.Peer)); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	if r.Issued.IsZero() || !r.Expires.After(r.Issued) || r.Expires.Sub(r.Issued) > MaxVolumeRead {
		return fmt.Errorf("read: it is good for at most %s", MaxVolumeRead)
	}
	return nil
}
