//go:build !unix

package store

import "os"

// chunkFile is an open file.
type chunkFile struct{ *os.File }

func openChunk(path string) (chunkFile, error) {
	f, err := os.Open(path)
	return chunkFile{f}, err
}

// createFile makes a file that is not there yet.
func createFile(path string) (chunkFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return chunkFile{f}, err
}
