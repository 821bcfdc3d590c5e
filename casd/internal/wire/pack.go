package wire

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/realm-mesh/realm/api"
)

// Encoding is the name of zstd (RFC 8878) in Accept-Encoding and Content-Encoding. A
// packed answer is a sequence of frames that unpack to what it would be otherwise.
const Encoding = "zstd"

// Bounds on what goes into one frame, and on its history, in bytes.
const (
	// PackSize is how much of an answer is packed at once, or one chunk more.
	PackSize = 512 << 10
	// MaxHistory is the most history that a frame can refer to.
	MaxHistory = 1 << 20
	// MaxNames is how many chunks a history is made of at most.
	MaxNames = 256
	// maxWindow is what a frame may want to be kept of what came before.
	maxWindow = 2 << 20
)

// historyID is what frames that refer to history call it, a number of those that RFC
// 8878 leaves to everybody.
const historyID = 0x5245414c

// Whether something is worth packing is told from a sample: it must lose an eighth.
const (
	sampleSize = 32 << 10
	leastGain  = 8
)

// packers is how many goroutines pack at once. Each takes some 5 MB.
const packers = 2

// Packer packs answers. It is safe for use by several goroutines.
type Packer struct {
	plain *zstd.Encoder
	turns chan struct{} // hold a token for each that packs with history
}

// NewPacker returns a packer.
func NewPacker() *Packer {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(packers),
		zstd.WithWindowSize(maxWindow/2), zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // these settings are valid, or they never are
	}
	return &Packer{plain: e, turns: make(chan struct{}, packers)}
}

// Worth reports whether bytes that begin with b are likely to become fewer.
func (p *Packer) Worth(b []byte) bool {
	sample := b[:min(len(b), sampleSize)]
	n := len(p.plain.EncodeAll(sample, make([]byte, 0, sampleSize+1<<10)))
	return n < len(sample)-len(sample)/leastGain
}

// Pack adds to dst a frame of b, which is at most [PackSize] and a chunk.
func (p *Packer) Pack(dst, b []byte) []byte { return p.plain.EncodeAll(b, dst) }

// PackBeside is [Packer.Pack] for a reader who has history, at most [MaxHistory]:
// what the two have in common is not sent.
func (p *Packer) PackBeside(dst, b, history []byte) ([]byte, error) {
	p.turns <- struct{}{}
	defer func() { <-p.turns }()
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxWindow),
		zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true), zstd.WithEncoderDictRaw(historyID, history))
	if err != nil {
		return dst, fmt.Errorf("pack: %w", err)
	}
	return e.EncodeAll(b, dst), nil
}

// Unpacked reads a packed answer.
type Unpacked struct {
	from source
	zstd *zstd.Decoder
}

// source remembers how what is packed ended.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
	return n, err
}

// Unpack reads from r, whose writer may know history. It takes at most some 5 MB,
// whatever r holds; how much comes out of it is for its reader to bound.
func Unpack(r io.Reader, history []byte) (*Unpacked, error) {
	opts := []zstd.DOption{zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxWindow), zstd.IgnoreChecksum(true)}
	if len(history) > 0 {
		opts = append(opts, zstd.WithDecoderDictRaw(historyID, history))
	}
	u := &Unpacked{from: source{r: r}}
	var err error
	if u.zstd, err = zstd.NewReader(&u.from, opts...); err != nil {
		return nil, fmt.Errorf("unpack: %w", err)
	}
	return u, nil
}

// Read implements [io.Reader]. Errors: [ErrBroken], [io.ErrUnexpectedEOF], those of
// the reader below.
func (u *Unpacked) Read(p []byte) (int, error) {
	n, err := u.zstd.Read(p)
	switch {
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
	case u.from.err != nil:
		err = u.from.err
	default:
		err = fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return n, err
}

// Close frees what reading took. It does not close the reader below.
func (u *Unpacked) Close() { u.zstd.Close() }

// NameHistory writes the value of [api.HeaderHistory].
func NameHistory(chunks []api.Digest) string {
	b := make([]byte, 0, len(chunks)*len(api.Digest{}))
	for _, d := range chunks[:min(len(chunks), MaxNames)] {
		b = append(b, d[:]...)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// ReadHistory is the inverse of [NameHistory]. What is no such value is [ErrBroken].
func ReadHistory(value string) ([]api.Digest, error) {
	const each = len(api.Digest{})
	if len(value) > base64.StdEncoding.EncodedLen(MaxNames*each) {
		return nil, fmt.Errorf("%w: a history of more than %d chunks", ErrBroken, MaxNames)
	}
	b, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(b)%each != 0 {
		return nil, fmt.Errorf("%w: a history that is no list of digests", ErrBroken)
	}
	var out []api.Digest
	for ; len(b) > 0; b = b[each:] {
		out = append(out, api.Digest(b[:each]))
	}
	return out, nil
}
