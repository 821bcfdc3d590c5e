package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"testing"

	"github.com/realm-mesh/realm/api"
)

// Compare them in one run:
//
//	go test -run '^$' -bench . ./internal/store
const benchSize = 16 * mib

func BenchmarkSHA256(b *testing.B) {
	data := noise(1, benchSize)
	b.SetBytes(benchSize)
	for b.Loop() {
		sha256.Sum256(data)
	}
}

func BenchmarkPut(b *testing.B) {
	s := openStore(b, b.TempDir())
	data := noise(2, benchSize)
	b.SetBytes(benchSize)
	for i := uint64(0); b.Loop(); i++ {
		for at := 0; at < benchSize; at += mib { // new chunks each time
			data[at]++
			data[at+1] = byte(i >> 8)
		}
		if _, err := s.Put(context.Background(), bytes.NewReader(data), int64(len(data)), api.Digest{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPutModule puts programs of 200 kB: what a push waits for.
func BenchmarkPutModule(b *testing.B) {
	s := openStore(b, b.TempDir())
	data := noise(5, 200_000)
	b.SetBytes(int64(len(data)))
	for i := 0; b.Loop(); i++ {
		data[0], data[1], data[2] = byte(i), byte(i>>8), byte(i>>16)
		if _, err := s.Put(context.Background(), bytes.NewReader(data), int64(len(data)), api.Digest{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPutAgain(b *testing.B) {
	s := openStore(b, b.TempDir())
	data := noise(3, benchSize)
	b.SetBytes(benchSize)
	for b.Loop() {
		if _, err := s.Put(context.Background(), bytes.NewReader(data), int64(len(data)), api.Digest{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifiedGet(b *testing.B) {
	s := openStore(b, b.TempDir())
	d := put(b, s, noise(4, benchSize))
	b.SetBytes(benchSize)
	for b.Loop() {
		r, err := s.Open(d)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
}

// BenchmarkRecover opens a store of 1,000 small blobs.
func BenchmarkRecover(b *testing.B) {
	s := openStore(b, b.TempDir())
	for i := range uint64(1000) {
		put(b, s, noise(i, 100))
	}
	for b.Loop() {
		openStore(b, s.dir)
	}
}
