package wire

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/realm-mesh/realm/api"
)

// AppendHave adds a line to b.
func AppendHave(b []byte, h api.Have) ([]byte, error) {
	line, err := json.Marshal(h)
	if err != nil {
		return b, fmt.Errorf("write have: %w", err)
	}
	return append(append(b, line...), '\n'), nil
}

// Haves reads the lines of [api.RouteBlobHave].
type Haves struct {
	r      *bufio.Reader
	line   []byte
	begun  bool
	ended  bool
	chunks int
}

// NewHaves reads from r.
func NewHaves(r io.Reader) *Haves { return &Haves{r: bufio.NewReader(r)} }

// Next returns the next line. The first has Index, and either Whole or Has, with a bit
// for each of Chunks and none besides; the numbers of all are below Chunks. [io.EOF]
// is an end between lines. Errors: [ErrBroken], and those of the reader.
func (h *Haves) Next() (api.Have, error) {
	line, err := h.read()
	if err != nil {
		return api.Have{}, err
	}
	var v api.Have
	if err := api.Decode(line, api.MaxHave, &v); err != nil {
		return api.Have{}, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	if err := h.check(&v); err != nil {
		return api.Have{}, fmt.Errorf("%w: have: %w", ErrBroken, err)
	}
	return v, nil
}

func (h *Haves) check(v *api.Have) error {
	if h.ended {
		return errors.New("a line after the last one")
	}
	h.ended = v.Whole
	if !h.begun {
		h.begun, h.chunks = true, v.Chunks
		if err := checkFirst(v); err != nil {
			return err
		}
	} else if !v.Index.IsZero() || v.Chunks != 0 || v.Has != nil || v.Lot != 0 {
		return errors.New("a second first line")
	}
	for _, list := range [][]int{v.Got, v.Busy, v.Idle} {
		if len(list) > h.chunks || slices.ContainsFunc(list, func(i int) bool { return i >= h.chunks }) {
			return fmt.Errorf("a chunk past the %d of the blob", h.chunks)
		}
	}
	return nil
}

func checkFirst(v *api.Have) error {
	switch {
	case v.Index.IsZero():
		return errors.New("no index")
	case v.Whole && v.Has == nil:
		return nil
	case len(v.Has) != (v.Chunks+7)/8:
		return fmt.Errorf("%d bytes of bits for %d chunks", len(v.Has), v.Chunks)
	case v.Chunks%8 != 0 && v.Has[len(v.Has)-1]>>(v.Chunks%8) != 0:
		return errors.New("bits past the last chunk")
	}
	return nil
}

// read returns a line of at most [api.MaxHave] bytes, valid until the next call.
func (h *Haves) read() ([]byte, error) {
	h.line = h.line[:0]
	for {
		part, err := h.r.ReadSlice('\n')
		h.line = append(h.line, part...)
		switch {
		case len(h.line) > api.MaxHave:
			return nil, fmt.Errorf("%w: a line of more than %d bytes", ErrBroken, api.MaxHave)
		case err == nil:
			return h.line, nil
		case errors.Is(err, io.EOF) && len(h.line) > 0:
			return nil, io.ErrUnexpectedEOF
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}
