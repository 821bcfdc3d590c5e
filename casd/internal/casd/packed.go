package casd

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/wire"
)

// pack adds b, packed, to dst.
type pack func(dst, b []byte) ([]byte, error)

// packs is how an answer that begins with b is packed; nil: not at all, as the caller
// does not ask for it or b has nothing to gain.
func (m *members) packs(r *http.Request, b []byte) pack {
	if !strings.Contains(r.Header.Get("Accept-Encoding"), wire.Encoding) {
		return nil
	}
	names, err := wire.ReadHistory(r.Header.Get(api.HeaderHistory))
	if sizes, ok := m.historySizes(names); ok && err == nil {
		return func(dst, b []byte) ([]byte, error) { return m.packBeside(dst, b, names, sizes) }
	}
	if !m.packer.Worth(b) {
		return nil
	}
	return func(dst, b []byte) ([]byte, error) { return m.packer.Pack(dst, b), nil }
}

// historySizes are those of chunks, unless there are none, some are not here, or they are
// more than a history may be.
func (m *members) historySizes(chunks []api.Digest) (sizes []int, ok bool) {
	sizes, total := m.sizes(chunks)
	return sizes, len(sizes) > 0 && !slices.Contains(sizes, lacking) && total <= wire.MaxHistory
}

// packBeside packs b beside chunks that the reader has.
func (m *members) packBeside(dst, b []byte, chunks []api.Digest, sizes []int) ([]byte, error) {
	buf := histories.Get().(*[historyMost]byte)
	defer histories.Put(buf)
	history := buf[:0]
	for i, d := range chunks {
		end := len(history) + sizes[i]
		if err := m.read(d, sizes[i], history[len(history):len(history)+api.MaxChunk]); err != nil {
			return nil, err
		}
		history = history[:end]
	}
	return m.packer.PackBeside(dst, b, history)
}

// pass sends b, packed if it is to be.
func (m *members) pass(ctx context.Context, w http.ResponseWriter, to api.PeerID, b []byte, pack pack) error {
	if pack == nil {
		return m.send(ctx, w, to, b)
	}
	buf := packs.Get().(*[]byte)
	defer packs.Put(buf)
	frame, err := pack((*buf)[:0], b)
	if err != nil {
		return err
	}
	*buf = frame[:0]
	return m.send(ctx, w, to, frame)
}

const historyMost = wire.MaxHistory + api.MaxChunk

var (
	histories = sync.Pool{New: func() any { return new([historyMost]byte) }}
	packs     = sync.Pool{New: func() any { return new([]byte) }}
)
