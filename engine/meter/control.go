package meter

import "github.com/realm-mesh/realm/engine/internal/wasm"

// begin opens a block. A loop that branches lead back to becomes two: the host is asked
// in the outer one, and branches go there when the slice is used up.
func (f *function) begin(in wasm.Instr) {
	b := block{op: in.Op, target: f.facts.targets[f.seen]}
	f.seen++
	f.raw(in)
	switch {
	case in.Op == wasm.OpIf:
		f.finish()
	case in.Op == wasm.OpLoop && b.target && len(in.Block.Params) == 0:
		f.finish()
		b.split = true
		f.ask(&f.out)
		f.out.opcode(in.Op)
		f.out.op(f.of.Code[in.Imm:in.End]...)
	case in.Op == wasm.OpLoop && b.target:
		f.finish()
		f.check = true
	}
	f.open = append(f.open, b)
}

// end closes a block. Where branches meet, a basic block begins.
func (f *function) end() {
	b := f.open[len(f.open)-1]
	f.open = f.open[:len(f.open)-1]
	f.block.op(opEnd)
	if len(f.open) == 0 && f.wrapped() {
		f.leave()
		f.block.op(opEnd)
	}
	if b.split {
		f.block.op(opEnd)
	}
	if f.dead > 0 || b.op == wasm.OpIf || b.op == wasm.OpElse || b.target && b.op != wasm.OpLoop {
		f.finish()
	}
	f.dead = 0
}

// depth is the label, in what is written, of the inner loop or block that label is in
// the original.
func (f *function) depth(label uint32) (depth uint32, to block) {
	k := len(f.open) - 1 - int(label)
	depth = label
	for _, b := range f.open[k+1:] {
		if b.split {
			depth++
		}
	}
	return depth, f.open[k]
}

func (f *function) branch(in wasm.Instr) {
	switch in.Op {
	case wasm.OpBr:
		f.jump(in.Index)
	case wasm.OpBrIf:
		f.jumpIf(in.Index)
	case wasm.OpBrTable:
		f.jumpTable(in.Labels)
	case wasm.OpReturn:
		f.jump(uint32(len(f.open) - 1))
	default:
		f.spill() // so that what was used is known
		f.raw(in)
	}
	f.finish()
	if in.Op != wasm.OpBrIf {
		f.dead = 1
	}
}

func (f *function) jump(label uint32) {
	d, to := f.depth(label)
	if to.split {
		f.negative(&f.block)
		f.block.with(opBrIf, d+1)
	}
	f.block.with(opBr, d)
}

func (f *function) jumpIf(label uint32) {
	d, to := f.depth(label)
	if !to.split {
		f.block.with(opBrIf, d)
		return
	}
	f.block.op(opIf, noType)
	f.negative(&f.block)
	f.block.with(opBrIf, d+2)
	f.block.with(opBr, d+1)
	f.block.op(opEnd)
}

// jumpTable leads to the outer of two loops: it asks only when it has to.
func (f *function) jumpTable(labels []uint32) {
	f.block.with(opBrTable, uint32(len(labels)-1))
	for _, l := range labels {
		d, to := f.depth(l)
		if to.split {
			d++
		}
		f.block = u32(f.block, d)
	}
}
