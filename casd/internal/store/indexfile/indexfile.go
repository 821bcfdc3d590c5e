// Package indexfile is the form in which the index of a blob lies on disk:
//
//	8 bytes      "realmix1"
//	32           digest of the blob
//	8            its size
//	8            when it was added, in seconds since 1970
//	4            number of chunks
//	36 for each  digest of a chunk, its size in 4 bytes
//	32           SHA-256 of all of the above
//
// Numbers are big-endian. A file that ends early or late, or of which any bit was
// flipped, is refused as a whole.
package indexfile

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/realm-mesh/realm/api"
)

const (
	magic      = "realmix1"
	headerSize = len(magic) + sha256.Size + 8 + 8 + 4
	chunkSize  = sha256.Size + 4
)

// MaxSize is how long a file may be, in bytes.
const MaxSize = headerSize + api.MaxChunks*chunkSize + sha256.Size

// ErrDamaged says that bytes are not an index that was written whole.
var ErrDamaged = errors.New("the index file is damaged")

// Write writes an index, which is valid, piece by piece.
func Write(w io.Writer, idx api.BlobIndex, added time.Time) error {
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 32<<10)
	b := make([]byte, 0, headerSize)
	b = append(b, magic...)
	b = append(b, idx.SHA256[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(idx.Size))
	b = binary.BigEndian.AppendUint64(b, uint64(added.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(len(idx.Chunks)))
	_, _ = out.Write(b) // the writer keeps its error for Flush
	for _, c := range idx.Chunks {
		b = append(b[:0], c.SHA256[:]...)
		_, _ = out.Write(binary.BigEndian.AppendUint32(b, uint32(c.Size)))
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err := w.Write(sum.Sum(nil))
	return err
}

// Decode reads the file of the index of a blob. Anything else is [ErrDamaged].
func Decode(b []byte, blob api.Digest) (idx api.BlobIndex, added time.Time, err error) {
	if err := check(b); err != nil {
		return api.BlobIndex{}, time.Time{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	b = b[len(magic) : len(b)-sha256.Size]
	idx.SHA256, b = api.Digest(b[:sha256.Size]), b[sha256.Size:]
	idx.Size = int64(binary.BigEndian.Uint64(b))
	added = time.Unix(int64(binary.BigEndian.Uint64(b[8:])), 0)
	b = b[8+8+4:]
	idx.Chunks = make([]api.BlobInfo, len(b)/chunkSize)
	for i := range idx.Chunks {
		idx.Chunks[i] = api.BlobInfo{SHA256: api.Digest(b[:sha256.Size]), Size: int64(binary.BigEndian.Uint32(b[sha256.Size:]))}
		b = b[chunkSize:]
	}
	if idx.SHA256 != blob {
		err = fmt.Errorf("it is about blob %s", idx.SHA256.Short())
	} else {
		err = idx.Validate()
	}
	if err != nil {
		return api.BlobIndex{}, time.Time{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return idx, added, nil
}

// check looks at all of a file but what its fields mean.
func check(b []byte) error {
	const least = headerSize + sha256.Size
	if len(b) < least || string(b[:len(magic)]) != magic {
		return errors.New("it does not begin as one")
	}
	n := binary.BigEndian.Uint32(b[headerSize-4:])
	if n > api.MaxChunks || len(b) != least+int(n)*chunkSize {
		return fmt.Errorf("%d bytes do not hold %d chunks", len(b), n)
	}
	if end := len(b) - sha256.Size; api.Sum(b[:end]) != api.Digest(b[end:]) {
		return errors.New("its sum is wrong")
	}
	return nil
}
