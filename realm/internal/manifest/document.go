package manifest

import "github.com/realm-mesh/realm/realm/internal/tomlfile"

// document is a manifest that is being read.
type document struct{ *tomlfile.Document }

// What says where a program is, and what is wrong with a file.
type (
	Source   = tomlfile.Source
	Problem  = tomlfile.Problem
	Problems = tomlfile.Problems
)

// The kinds of sources.
const (
	File = tomlfile.File
	URL  = tomlfile.URL
	OCI  = tomlfile.OCI
	Blob = tomlfile.Blob
)
