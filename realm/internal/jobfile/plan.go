package jobfile

import (
	"path/filepath"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/realm/internal/tomlfile"
)

// MaxFile caps a job file, in bytes.
const MaxFile = 256 << 10

// DefaultExpiry is how long after it was submitted a one-shot job may begin, where its
// file does not tell.
const DefaultExpiry = 30 * 24 * time.Hour

// Plan is what a job file asks for.
type Plan struct {
	Name   api.Name // that the job's id begins with
	Target api.Target
	// Body is the job without blobs: those of Program and Stages belong into it.
	Body    api.Job
	Program Blob
	Stages  []Blob // of Body.PreStage, in its order
	// Expires is how long after it was submitted a one-shot job may begin; 0 for others.
	Expires time.Duration
}

// Blob is a file that executions need.
type Blob struct {
	tomlfile.Source
	At     string     // FILE:LINE:COLUMN where the job file names it
	SHA256 api.Digest // that it must have; zero: any
}

// Want is the digest that the blob must have; zero: any.
func (b Blob) Want() api.Digest {
	if b.Kind == tomlfile.Blob {
		return b.Source.SHA256
	}
	return b.SHA256
}

// Read reads a job file. What is wrong with its text is [tomlfile.Problems].
func Read(path string) (*Plan, error) {
	text, err := tomlfile.Read(path, "job file", MaxFile)
	if err != nil {
		return nil, err
	}
	return Parse(path, filepath.Dir(path), text)
}

// Parse reads a job file. name is what its problems call it; paths in it begin at dir.
func Parse(name, dir string, text []byte) (*Plan, error) {
	file, root := tomlfile.Parse(name, text)
	r := &reader{Document: file, dir: dir}
	if root != nil {
		r.read(root)
	}
	if err := file.Err(); err != nil {
		return nil, err
	}
	return &r.plan, nil
}
