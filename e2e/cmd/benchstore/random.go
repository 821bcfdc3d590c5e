package main

import (
	cryptorand "crypto/rand"
	"errors"
	"io"
	"math/rand/v2"
	"os"
)

// randomBytes are size bytes that nothing has seen before.
func randomBytes(size int64) io.Reader {
	var seed [32]byte
	cryptorand.Read(seed[:])
	return io.LimitReader(rand.NewChaCha8(seed), size)
}

// randomFile replaces file by one of size fresh bytes. They are on the disk when
// it returns, so that writing them does not disturb what is measured next, and in
// the memory of the system.
func randomFile(file string, size int64) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, randomBytes(size))
	return errors.Join(err, f.Sync(), f.Close())
}

// flush waits until a file that was just written is on the disk.
func flush(file string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
