package meter

import (
	"slices"

	"github.com/realm-mesh/realm/engine/internal/wasm"
)

// facts are what has to be known of a function before it is rewritten.
type facts struct {
	cached  bool // it loops: fuel is kept in a local
	calls   bool
	nested  bool   // what it calls may call on: its frame counts
	lengths bool   // it has instructions whose cost depends on a length
	targets []bool // by block in their order, the function first: branches lead there
}

// look gathers the facts of b.
func (x *module) look(b *wasm.Body) (f facts) {
	open := []int{0}
	f.targets = []bool{false}
	var loops []int
	target := func(l uint32) { f.targets[open[len(open)-1-int(l)]] = true }
	for s := b.Instrs(x.Module); ; {
		in, ok := s.Next()
		if !ok {
			break
		}
		switch in.Op {
		case wasm.OpLoop:
			loops = append(loops, len(f.targets))
			fallthrough
		case wasm.OpBlock, wasm.OpIf:
			open = append(open, len(f.targets))
			f.targets = append(f.targets, false)
		case wasm.OpEnd:
			open = open[:len(open)-1]
		case wasm.OpBr, wasm.OpBrIf:
			target(in.Index)
		case wasm.OpBrTable:
			for _, l := range in.Labels {
				target(l)
			}
		case wasm.OpCall, wasm.OpCallIndirect:
			f.calls = true
			f.nested = f.nested || x.stack > 0 && (in.Op != wasm.OpCall || in.Index >= x.outside)
		case wasm.OpReturnCall, wasm.OpReturnCallIn:
			f.calls = true
		case wasm.OpMemoryFill, wasm.OpMemoryCopy:
			f.calls, x.bulk = true, true
		case wasm.OpMemoryGrow, wasm.OpMemoryInit, wasm.OpTableInit, wasm.OpTableCopy, wasm.OpTableGrow, wasm.OpTableFill:
			f.lengths = true
		}
	}
	f.cached = slices.ContainsFunc(loops, func(i int) bool { return f.targets[i] })
	return f
}
