package api

import (
	"errors"
	"fmt"
)

// LocalFile is a regular file of this machine that the caller has open, and casd opens
// once more: its bytes need not pass a socket then. Dev and Ino tell whether it is the
// same one.
type LocalFile struct {
	Path string `json:"path"`
	Dev  uint64 `json:"dev"`
	Ino  uint64 `json:"ino"`
}

// Validate implements [Validator].
func (f *LocalFile) Validate() error {
	if f.Path == "" || len(f.Path) > maxPath {
		return fmt.Errorf("file: want a path of 1 to %d bytes", maxPath)
	}
	return nil
}

// ImportRequest asks casd to store a file of this machine.
type ImportRequest struct {
	File LocalFile `json:"file"`
	Size int64     `json:"size"` // bytes of it, from its start
}

// Validate implements [Validator].
func (r *ImportRequest) Validate() error {
	if r.Size < 0 || r.Size > MaxBlob {
		return fmt.Errorf("import: size %d is out of range", r.Size)
	}
	return r.File.Validate()
}

// ExportRequest asks casd to write a blob that is here into a file of this machine.
type ExportRequest struct {
	File LocalFile `json:"file"`
	Blob Digest    `json:"blob"`
	At   int64     `json:"at"` // where in the file its first byte goes
}

// Validate implements [Validator].
func (r *ExportRequest) Validate() error {
	if r.Blob.IsZero() || r.At < 0 {
		return errors.New("export: the blob is missing, or at is out of range")
	}
	return r.File.Validate()
}

// FileProgress is a line of the answers to both. The last one has End, and the result or
// what went wrong.
type FileProgress struct {
	Done   int64    `json:"done"` // bytes
	End    bool     `json:"end,omitempty"`
	Blob   BlobInfo `json:"blob,omitzero"`
	New    int64    `json:"new,omitempty"`    // of an import: bytes that were not here
	Status int      `json:"status,omitempty"` // of HTTP, with Error
	Error  string   `json:"error,omitempty"`
}

// Validate implements [Validator].
func (p *FileProgress) Validate() error {
	if p.Done < 0 || p.New < 0 {
		return errors.New("file: out of range")
	}
	return nil
}
