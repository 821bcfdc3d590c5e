// Package cut finds where a blob is cut into chunks: where its own content says so,
// so that two blobs with a stretch in common have most chunks of it in common, wherever
// it stands in either.
//
// Blobs are cut in one of three ways, by their size. All nodes cut the same blob at
// the same places, so that its chunks can come from any of them: a change to one of
// the figures here parts new stores from old ones. docs/adr/0011 has the measurements
// behind them.
//
// The places are those of JC (Jin et al., "Accelerating content-defined chunking for data
// deduplication based on speculative jump", IEEE TPDS 2023) as the "jc-v1.0.0" of
// go-cdc-chunkers has it, at twice its speed: cutting is what a put cannot do on several
// processors.
package cut

import (
	"math/bits"

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
// the mean; the last of a blob may be shorter than min. normal is a power of two.
type sizes struct{ min, normal, max int }

func fine() sizes   { return sizes{4 << 10, 16 << 10, 64 << 10} }
func medium() sizes { return sizes{32 << 10, 128 << 10, 512 << 10} }
func coarse() sizes { return sizes{256 << 10, 512 << 10, api.MaxChunk} }

// Cutter cuts blobs of one class. It is safe for use by several goroutines.
type Cutter struct {
	sizes
	// A place where all bits of pause are 0 in the sum of what precedes it is the end of
	// the chunk where those of cut are, too; else none is looked for in the jump bytes
	// that follow. cut has one bit more.
	pause, cut uint64
	jump       int
}

// For returns the cutter of a blob of size bytes; -1: not known, which counts as large.
func For(size int64) *Cutter {
	switch {
	case size < 0:
		return newCutter(coarse())
	case size <= FineLimit:
		return newCutter(fine())
	case size <= ProgramLimit:
		return newCutter(medium())
	}
	return newCutter(coarse())
}

// newCutter chooses the masks by which one place in so many is one to cut at: their bits
// are spread over the sum from its highest one down.
func newCutter(s sizes) *Cutter {
	ones := bits.Len(uint(s.normal)) - 2
	c := &Cutter{sizes: s, jump: 1 << ones}
	for i := range ones {
		c.cut |= 1 << (63 - i*(64/ones))
	}
	c.pause = c.cut & (c.cut - 1)
	return c
}

// Max is the longest chunk, in bytes.
func (c *Cutter) Max() int { return c.max }

// Next returns how long the chunk is that b begins with. b holds Max bytes, or all
// that is left of the blob, and at least one.
func (c *Cutter) Next(b []byte) int {
	b = b[:min(len(b), c.max)]
	if len(b) <= c.normal {
		return len(b)
	}
	for at := c.min; at < len(b); {
		n, sum := c.scan(b[at:])
		if at += n; sum&c.cut == 0 || at == len(b) {
			return at
		}
		at += c.jump
	}
	return len(b)
}

// scan looks for the first byte of b after which all bits of pause are 0 in the sum, and
// returns its index, or the length of b, and the sum. It takes four bytes at a time: to
// test each before the next one is added would cost as much again.
func (c *Cutter) scan(b []byte) (at int, sum uint64) {
	gear, pause := &jc.G, c.pause
	for ; at+4 <= len(b); at += 4 {
		four := b[at : at+4 : at+4]
		first := sum<<1 + gear[four[0]]
		second := first<<1 + gear[four[1]]
		third := second<<1 + gear[four[2]]
		sum = third<<1 + gear[four[3]]
		switch {
		case first&pause == 0:
			return at, first
		case second&pause == 0:
			return at + 1, second
		case third&pause == 0:
			return at + 2, third
		case sum&pause == 0:
			return at + 3, sum
		}
	}
	for ; at < len(b); at++ {
		if sum = sum<<1 + gear[b[at]]; sum&pause == 0 {
			return at, sum
		}
	}
	return at, sum
}
