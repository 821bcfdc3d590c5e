package api

import (
	"errors"
	"fmt"
	"math"
)

// ImportRequest asks casd to store the file that comes with it (kit/local): a regular one
// that the caller has open for reading, from its start.
type ImportRequest struct {
	Size int64 `json:"size"` // bytes
}

// Validate implements [Validator].
func (r *ImportRequest) Validate() error {
	if r.Size < 0 || r.Size > MaxBlob {
		return fmt.Errorf("import: want a size of 0 to %d bytes", MaxBlob)
	}
	return nil
}

// ExportRequest asks casd to write a blob that is here into the file that comes with it:
// a regular one that the caller has open for writing, and not for appending.
type ExportRequest struct {
	Blob Digest `json:"blob"`
	At   int64  `json:"at"` // where in the file its first byte goes
}

// Validate implements [Validator].
func (r *ExportRequest) Validate() error {
	if r.Blob.IsZero() {
		return errors.New("export: the blob is missing")
	}
	if r.At < 0 || r.At > math.MaxInt64-MaxBlob {
		return errors.New("export: at is out of range")
	}
	return nil
}

// FileProgress is a line of the answers to both. The last one has End, and the result or
// what went wrong; an answer without it was broken off.
type FileProgress struct {
	Done   int64    `json:"done"` // bytes that were read, or are in the file
	End    bool     `json:"end,omitempty"`
	Blob   BlobInfo `json:"blob,omitzero"`
	New    int64    `json:"new,omitempty"`    // of an import: bytes that were not here
	Status int      `json:"status,omitempty"` // of HTTP, with Error
	Error  string   `json:"error,omitempty"`
}

// Validate implements [Validator].
func (p *FileProgress) Validate() error {
	if p.Done < 0 || p.New < 0 {
		return errors.New("file progress: out of range")
	}
	return nil
}
