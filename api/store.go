package api

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Copies is on how many members a blob that the realm needs is kept: one that a
// current intent names, or a pin, or one of the last [KeptVersions] of a workload.
const Copies = 3

// KeptVersions is of how many versions of a workload the blobs are kept, the
// current one included: what a rollback may go back to. Versions with the same program
// count as one.
const KeptVersions = 5

// MaxBlob is the largest blob, in bytes.
const MaxBlob = 64 << 30

// Pin is the body of an intent of [KindPin]: the realm keeps the blob, on [Copies]
// members, until the pin is removed.
type Pin struct {
	BlobInfo
}

// PinName is what the pin of a blob is called when a person gives it no other name.
func PinName(d Digest) Name { return Name("sha256-" + d.String()[:40]) }

// MaxWait is how long who asks by [RouteReferences] may wait for a change.
const MaxWait = time.Minute

// Reference says why the realm needs a blob. meshd lists them by [RouteReferences],
// one JSON value a line, in the order of Blob, then Ref, then the newest Seq first.
type Reference struct {
	Blob Digest `json:"blob"`
	Size int64  `json:"size"`
	Ref         // the workload, job or pin
	Seq  uint64 `json:"seq"` // 0: an execution of the job has left it
	// Current tells the version that counts now from earlier ones.
	Current bool `json:"current,omitempty"`
	Copies  int  `json:"copies,omitempty"` // on how many members it is kept; 0: on [Copies]
}

// MaxReferences is the most of them in a list.
const MaxReferences = 500_000

// Compare orders lists of references.
func (r *Reference) Compare(o *Reference) int {
	return cmp.Or(r.Blob.Compare(o.Blob), cmp.Compare(r.Kind, o.Kind), cmp.Compare(r.Name, o.Name), cmp.Compare(o.Seq, r.Seq))
}

// Validate implements [Validator].
func (r *Reference) Validate() error {
	if err := (&BlobInfo{r.Blob, r.Size}).Validate(); err != nil {
		return fmt.Errorf("reference: %w", err)
	}
	if r.Copies < 0 || r.Copies > MaxKeep {
		return fmt.Errorf("reference: copies %d: want 0 to %d", r.Copies, MaxKeep)
	}
	return r.Ref.Validate()
}

// Have is a line of [RouteBlobHave]: which chunks of a blob a member has. The answer
// begins with one line that has Has, unless the blob is whole, and goes on with one for
// each change until it is (Whole, the last line) or the fetch has been given up (the end).
// Chunks are numbered by their first place in the index, from 0.
type Have struct {
	Index  Digest `json:"index,omitzero"`  // SHA-256 of the index's encoding that numbers the chunks; first line
	Chunks int    `json:"chunks,omitzero"` // in that index; first line
	Has    []byte `json:"has,omitempty"`   // first line: a bit for each chunk, the lowest of the first byte for chunk 0
	Got    []int  `json:"got,omitempty"`   // since the last line
	Busy   []int  `json:"busy,omitempty"`  // that it has begun to fetch from somebody since the last line
	Idle   []int  `json:"idle,omitempty"`  // that it was busy with, and has given up for now
	Whole  bool   `json:"whole,omitempty"`
	// Lot is a number that each fetch draws at random; first line, while a fetch goes
	// on. Who fetches at the same time begins, at members that have the blob whole, with
	// the chunks for which its own lot comes first: so few are taken twice from there.
	Lot uint64 `json:"lot,omitempty"`
}

// MaxHave caps a line of [RouteBlobHave], in bytes.
const MaxHave = 1 << 20

// MaxChunks is the most chunks that an index lists: those of [MaxBlob] in chunks of
// 256 KiB.
const MaxChunks = MaxBlob >> 18

// Validate implements [Validator].
func (h *Have) Validate() error {
	if h.Chunks < 0 || h.Chunks > MaxChunks || len(h.Has) > (MaxChunks+7)/8 {
		return errors.New("have: too many chunks")
	}
	for _, list := range [][]int{h.Got, h.Busy, h.Idle} {
		if len(list) > MaxChunks || slices.ContainsFunc(list, func(i int) bool { return i < 0 || i >= MaxChunks }) {
			return errors.New("have: a chunk is out of range")
		}
	}
	return nil
}

// ChunksRequest asks for chunks by [RouteChunks]. The answer has, for each in this
// order, its length in 4 bytes, big-endian, and its bytes; [NoChunk] in place of the
// length, and no bytes, where the member lacks it. Where the caller accepts it, the answer
// may have the content encoding zstd, see also [HeaderHistory].
type ChunksRequest struct {
	Blob   Digest   `json:"blob"`   // that they are fetched for
	Chunks []Digest `json:"chunks"` // 1 to MaxChunksRequest
}

const (
	// NoChunk stands for the length of a chunk that a member lacks.
	NoChunk = 1<<32 - 1
	// MaxChunksRequest is the most chunks of a [ChunksRequest].
	MaxChunksRequest = 256
)

// Validate implements [Validator].
func (r *ChunksRequest) Validate() error {
	if len(r.Chunks) == 0 || len(r.Chunks) > MaxChunksRequest {
		return fmt.Errorf("ask for 1 to %d chunks at a time", MaxChunksRequest)
	}
	if r.Blob.IsZero() || slices.ContainsFunc(r.Chunks, Digest.IsZero) {
		return errors.New("chunks: a digest is missing")
	}
	return nil
}

// BlobRecord is a line of [RouteBlobs]: a blob on this node. The lines are in the
// order of the digests.
type BlobRecord struct {
	BlobInfo
	Has     int64     `json:"has"`               // bytes that are here; less than Size while it is not whole
	Whole   bool      `json:"whole"`             // false: it is being fetched, or damaged
	Damaged bool      `json:"damaged,omitempty"` // a chunk has failed its check and is not mended yet
	Added   time.Time `json:"added,omitzero"`
	Used    time.Time `json:"used,omitzero"`    // last read or asked for, to about an hour
	Pinned  bool      `json:"pinned,omitempty"` // on this node alone; pins of the realm are among Refs
	Keeper  bool      `json:"keeper,omitempty"` // this node is one of those that keep it for the realm
	Refs    []Ref     `json:"refs,omitempty"`   // what in the realm needs it; at most MaxRecordRefs
	// Copies is how many members were last seen to have it, this one included; 0:
	// not known here, which is so for what the realm does not need.
	Copies int `json:"copies,omitempty"`
}

// MaxRecordRefs is the most references that a [BlobRecord] lists.
const MaxRecordRefs = 16

// Validate implements [Validator].
func (b *BlobRecord) Validate() error {
	if len(b.Refs) > MaxRecordRefs {
		return errors.New("blob: too many references")
	}
	return b.BlobInfo.Validate()
}

// BlobCopies is the answer of [RouteBlobCopies]: who has a blob, as those who should
// keep it say now.
type BlobCopies struct {
	BlobInfo
	Needed  bool     `json:"needed"`            // the realm needs it: an intent or a pin names it
	Want    int      `json:"want"`              // Copies, or as many as there are members that can keep it
	Keepers []PeerID `json:"keepers,omitempty"` // who should have it, by rank
	Have    []PeerID `json:"have,omitempty"`    // who has said that it does, whole; keepers first
	Away    []PeerID `json:"away,omitempty"`    // keepers that did not answer
}

// Validate implements [Validator].
func (c *BlobCopies) Validate() error {
	for _, p := range slices.Concat(c.Keepers, c.Have, c.Away) {
		if _, err := ParsePeerID(string(p)); err != nil {
			return fmt.Errorf("copies: %w", err)
		}
	}
	return c.BlobInfo.Validate()
}

// StorageStatus is the answer of [RouteStorage]: what the store of this node holds.
// Sizes are in bytes. A chunk that several blobs share is stored, and counted, once.
type StorageStatus struct {
	Dir        string    `json:"dir"`
	Blobs      int64     `json:"blobs"`   // whole ones
	Partial    int64     `json:"partial"` // others
	Chunks     int64     `json:"chunks"`
	Logical    int64     `json:"logical"`              // all blobs, as if nothing were shared
	Stored     int64     `json:"stored"`               // all chunks
	Quota      int64     `json:"quota"`                // that Stored may grow to
	DiskFree   int64     `json:"disk_free"`            // of the file system
	Needed     int64     `json:"needed"`               // bytes of blobs that may not be collected: needed here, pinned, being read
	Cached     int64     `json:"cached"`               // the other blobs': collected when room is wanted, the least recently used first
	Damaged    int64     `json:"damaged,omitempty"`    // blobs that wait to be mended
	Full       bool      `json:"full,omitempty"`       // it takes nothing more for the realm
	ScrubbedAt time.Time `json:"scrubbed_at,omitzero"` // when the last look at every chunk ended
}

// Validate implements [Validator].
func (*StorageStatus) Validate() error { return nil }

// CollectRequest asks for room by [RouteCollect].
type CollectRequest struct {
	Free   int64 `json:"free,omitempty"` // bytes to free; 0: all that is cached
	DryRun bool  `json:"dry_run,omitempty"`
}

// Validate implements [Validator].
func (r *CollectRequest) Validate() error {
	if r.Free < 0 {
		return errors.New("collect: want a number of bytes")
	}
	return nil
}

// CollectReply tells what was collected, or would be.
type CollectReply struct {
	Freed int64      `json:"freed"` // bytes
	Blobs []BlobInfo `json:"blobs,omitempty"`
	More  int        `json:"more,omitempty"` // blobs that the list leaves out: it has at most MaxCollected
}

// MaxCollected is the most blobs that a [CollectReply] lists.
const MaxCollected = 1024

// Validate implements [Validator].
func (r *CollectReply) Validate() error {
	if len(r.Blobs) > MaxCollected {
		return errors.New("collect: too many blobs")
	}
	return nil
}

// VerifyProgress is a line of [RouteVerify]. The last one has End.
type VerifyProgress struct {
	Done    int64    `json:"done"`              // bytes read and checked
	Total   int64    `json:"total"`             // bytes in the store
	Damaged []Digest `json:"damaged,omitempty"` // blobs found damaged since the last line
	Mended  []Digest `json:"mended,omitempty"`  // of those, from other members
	Lost    []Digest `json:"lost,omitempty"`    // of those, that no member could give sound bytes of
	End     bool     `json:"end,omitempty"`
	Error   string   `json:"error,omitempty"` // it ended early
}

// Validate implements [Validator].
func (p *VerifyProgress) Validate() error {
	if p.Done < 0 || p.Total < 0 {
		return errors.New("verify: out of range")
	}
	return nil
}

// Transfer is a blob on its way to this node.
type Transfer struct {
	BlobInfo                  // Size 0: not known yet
	Done     int64            `json:"done"` // bytes that are here
	Began    time.Time        `json:"began"`
	Rate     float64          `json:"rate"` // bytes a second, over the last seconds
	Sources  []TransferSource `json:"sources,omitempty"`
}

// TransfersReply is the answer of [RouteTransfers].
type TransfersReply struct {
	Transfers []Transfer `json:"transfers"`
}

// Validate implements [Validator].
func (*TransfersReply) Validate() error { return nil }

// TransferSource is a member that a [Transfer] comes from.
type TransferSource struct {
	Peer  PeerID  `json:"peer"`
	Bytes int64   `json:"bytes"` // that it has sent for this transfer
	Rate  float64 `json:"rate"`  // bytes a second, over the last seconds
	State string  `json:"state"` // active, idle, slow, away, lacks it, dropped
	Why   string  `json:"why,omitempty"`
}
