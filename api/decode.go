package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Sizes, in bytes, that no message may pass.
const (
	MaxMessage  = 256 << 10 // anything on the bus or in gossip
	MaxEnvelope = 64 << 10  // one signed intent
	MaxModule   = 64 << 20  // one program, before it is compiled
	MaxProof    = 12 << 10  // what a node shows of its membership when it connects
)

// ErrTooLarge is returned by [Decode] and [ReadAll] for input over its cap.
var ErrTooLarge = errors.New("message too large")

// Validator is a message that can check itself.
type Validator interface{ Validate() error }

// Decode reads exactly one JSON value from b into v and validates it. Unknown
// fields, trailing bytes and more than limit bytes are errors.
func Decode(b []byte, limit int, v Validator) error {
	if len(b) > limit {
		return fmt.Errorf("decode %T: %w: %d bytes, at most %d", v, ErrTooLarge, len(b), limit)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("decode %T: bytes after the message", v)
	}
	if err := v.Validate(); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}

// DecodeFact is [Decode] for what a member says of itself or its workloads, also as
// this node's own daemons pass it on: whoever is of a newer version may say more, and
// what this version does not know is passed over.
func DecodeFact(b []byte, limit int, v Validator) error {
	if len(b) > limit {
		return fmt.Errorf("decode %T: %w: %d bytes, at most %d", v, ErrTooLarge, len(b), limit)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	if err := v.Validate(); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}

// ReadAll reads r to its end, at most limit bytes; more is [ErrTooLarge].
func ReadAll(r io.Reader, limit int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%w: at most %d bytes", ErrTooLarge, limit)
	}
	return b, nil
}
