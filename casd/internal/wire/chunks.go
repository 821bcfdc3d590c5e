package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/realm-mesh/realm/api"
)

// FrameHead is how many bytes stand before a chunk: its length, big-endian.
const FrameHead = 4

// ErrNoChunk is in place of a chunk that the member lacks.
var ErrNoChunk = errors.New("it lacks the chunk")

// AppendHead adds to b what goes before a chunk of n bytes.
func AppendHead(b []byte, n int) []byte { return binary.BigEndian.AppendUint32(b, uint32(n)) } //nolint:gosec // at most api.MaxChunk

// AppendNoChunk adds to b what stands for a chunk that is not here.
func AppendNoChunk(b []byte) []byte { return binary.BigEndian.AppendUint32(b, api.NoChunk) }

// Chunks reads the answer of [api.RouteChunks].
type Chunks struct {
	r    io.Reader
	head [FrameHead]byte
}

// NewChunks reads from r, which should be buffered: heads are small.
func NewChunks(r io.Reader) *Chunks { return &Chunks{r: r} }

// Next fills b with the next chunk, whose size is that of b. Errors: [ErrNoChunk],
// after which reading goes on with the next; [ErrBroken], a chunk of another size;
// [io.ErrUnexpectedEOF], and others of the reader. The bytes are not checked.
func (c *Chunks) Next(b []byte) error {
	if _, err := io.ReadFull(c.r, c.head[:]); err != nil {
		return cut(err)
	}
	switch n := binary.BigEndian.Uint32(c.head[:]); {
	case n == api.NoChunk:
		return ErrNoChunk
	case n != uint32(len(b)): //nolint:gosec // at most api.MaxChunk
		return fmt.Errorf("%w: a chunk of %d bytes, want %d", ErrBroken, n, len(b))
	}
	_, err := io.ReadFull(c.r, b)
	return cut(err)
}

// End returns nil at the end of the answer; bytes that follow are [ErrBroken].
func (c *Chunks) End() error {
	switch n, err := io.ReadFull(c.r, c.head[:1]); {
	case n > 0:
		return fmt.Errorf("%w: bytes after the last chunk", ErrBroken)
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

// cut is err, where an end is always too early.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
