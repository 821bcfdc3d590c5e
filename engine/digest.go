package engine

import (
	"crypto/sha256"
	"encoding/hex"
)

// Digest is the SHA-256 of a module's bytes.
type Digest [sha256.Size]byte

// Sum returns the digest of b.
func Sum(b []byte) Digest { return sha256.Sum256(b) }

// String is the digest in hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Short is enough of it for people to tell modules apart.
func (d Digest) Short() string { return hex.EncodeToString(d[:6]) }
