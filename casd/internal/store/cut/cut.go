// Package cut finds where a blob is cut into chunks: where its own content says so,
// so that two blobs with a stretch in common have most chunks of it in common, wherever
// it stands in either.
//
// Blobs are cut in one of three ways, by their size. All nodes cut the same blob at
// the same places, so that its chunks can come from any of them: a change to one of
// the figures here parts new stores from old ones. docs/adr/0011 has the measurements
// behind them.
package cut

import (
	"fmt"

	chunkers "github.com/PlakarKorp/go-cdc-chunkers"
	"github.com/PlakarKorp/go-cdc-chunkers/chunkers/jc"

	"github.com/realm-mesh/realm/api"
)

// Limits of the classes, in bytes of a blob.
const (
	// FineLimit is the largest blob that is cut fine: small programs.
	FineLimit = 8 << 20
	// ProgramLimit is the largest that may be a program, of which the next version
	// shares most.
	ProgramLimit = 64 << 20
)

// sizes are how long chunks may be, in bytes. A chunk is about normal + min/4 long in
// the mean; the last of a blob may be shorter than min.
type sizes struct{ min, normal, max int }

func fine() sizes   { return sizes{4 << 10, 16 << 10, 64 << 10} }
func medium() sizes { return sizes{32 << 10, 128 << 10, 512 << 10} }
func coarse() sizes { return sizes{256 << 10, 512 << 10, api.MaxChunk} }

// Cutter cuts blobs of one class. It is safe for use by several goroutines.
type Cutter struct {
	opts chunkers.ChunkerOpts
	jump jc.JC // its zero value is "jc-v1.0.0"
}

// For returns the cutter of a blob of size bytes; -1: not known, which counts as large.
func For(size int64) (*Cutter, error) {
	s := coarse()
	switch {
	case size < 0:
	case size <= FineLimit:
		s = fine()
	case size <= ProgramLimit:
		s = medium()
	}
	c := &Cutter{opts: chunkers.ChunkerOpts{MinSize: s.min, NormalSize: s.normal, MaxSize: s.max}}
	if err := c.jump.Setup(&c.opts); err != nil {
		return nil, fmt.Errorf("set up cutter: %w", err)
	}
	return c, nil
}

// Max is the longest chunk, in bytes.
func (c *Cutter) Max() int { return c.opts.MaxSize }

// Next returns how long the chunk is that b begins with. b holds Max bytes, or all
// that is left of the blob, and at least one.
func (c *Cutter) Next(b []byte) int {
	return c.jump.Algorithm(&c.opts, b, min(len(b), c.opts.MaxSize))
}
