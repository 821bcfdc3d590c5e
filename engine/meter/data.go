package meter

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/realm-mesh/realm/engine/internal/wasm"
)

// mergeGap is how many zero bytes may come between two data segments that are made one.
const mergeGap = 4096

// data are the data segments. Compilers emit tens of thousands (stock Go does), each of
// which costs when an instance is made: where nothing else can tell, they become few.
func (x *module) data() []wasm.Data {
	if x.imaged {
		return withoutImage(x.Module)
	}
	if x.NamesData || x.Imported[wasm.ExternMemory] > 0 {
		return x.Data // code names them; or memory that others see
	}
	type piece struct {
		at int64
		b  []byte
	}
	pieces := make([]piece, 0, len(x.Data))
	for _, s := range x.Data {
		at, ok := constant(s.At)
		if !ok {
			return x.Data
		}
		pieces = append(pieces, piece{at, s.Init})
	}
	slices.SortStableFunc(pieces, func(a, b piece) int { return cmp.Compare(a.at, b.at) })
	size := int64(0)
	if len(x.Memories) > 0 {
		size = int64(x.Memories[0].Min) << 16
	}
	var out []piece
	for _, p := range pieces {
		end := p.at + int64(len(p.b))
		if end > size {
			return x.Data // it is for the runtime to say so
		}
		if n := len(out); n > 0 {
			last := &out[n-1]
			gap := p.at - last.at - int64(len(last.b))
			if gap < 0 {
				return x.Data // the order counts
			}
			if gap <= mergeGap {
				last.b = append(append(last.b, make([]byte, gap)...), p.b...)
				continue
			}
		}
		out = append(out, piece{p.at, slices.Clone(p.b)})
	}
	merged := make([]wasm.Data, len(out))
	for i, p := range out {
		at := append(s64([]byte{opI32Const}, int64(int32(p.at))), opEnd)
		merged[i] = wasm.Data{At: wasm.Expr{Code: at}, Init: p.b}
	}
	return merged
}

// constant returns the offset that e is, if it is a number.
func constant(e wasm.Expr) (int64, bool) {
	if len(e.Code) < 3 || e.Code[0] != opI32Const {
		return 0, false
	}
	v, shift, i := int64(0), uint(0), 1
	for ; ; i++ {
		v |= int64(e.Code[i]&0x7f) << shift
		shift += 7
		if e.Code[i]&0x80 == 0 {
			break
		}
	}
	if e.Code[i]&0x40 != 0 {
		v |= -1 << shift
	}
	return int64(uint32(v)), i+2 == len(e.Code) // and its end: nothing is computed
}

func (x *module) dataSection(data []wasm.Data) (b []byte) {
	size := 0
	for _, s := range data {
		size += len(s.Init) + 2*binary.MaxVarintLen32 + 4
	}
	b = make([]byte, 0, size)
	for _, s := range data {
		if s.Mode == wasm.Passive {
			b = append(b, 1)
		} else {
			b = x.expr(append(b, 0), s.At)
		}
		b = append(u32(b, uint32(len(s.Init))), s.Init...)
	}
	return b
}
