package meter

import "github.com/realm-mesh/realm/engine/internal/wasm"

// Instructions that are added (§5.4).
const (
	opLoop      = 0x03
	opBlock     = 0x02
	opIf        = 0x04
	opElse      = 0x05
	opEnd       = 0x0b
	opBr        = 0x0c
	opBrIf      = 0x0d
	opBrTable   = 0x0e
	opReturn    = 0x0f
	opCall      = 0x10
	opDrop      = 0x1a
	opSelect    = 0x1b
	opLocalGet  = 0x20
	opLocalSet  = 0x21
	opLocalTee  = 0x22
	opGlobalGet = 0x23
	opGlobalSet = 0x24
	opMemSize   = 0x3f
	opI32Const  = 0x41
	opI64Const  = 0x42
	opI32Eq     = 0x46
	opI32LtU    = 0x49
	opI32LeU    = 0x4d
	opI64LtS    = 0x53
	opI64GtU    = 0x56
	opI32Add    = 0x6a
	opI32Sub    = 0x6b
	opI64Add    = 0x7c
	opI64Sub    = 0x7d
	opI64Or     = 0x84
	opI64Shl    = 0x86
	opI64ShrU   = 0x88
	opI32Wrap   = 0xa7
	opI64ExtU   = 0xad
	opTableGet  = 0x25
	opRefFunc   = 0xd2
	opMisc      = 0xfc
	noType      = 0x40 // of a block that gives nothing
)

// code is instructions that are being written.
type code []byte

func (c *code) op(bytes ...byte) { *c = append(*c, bytes...) }

// with writes an instruction with an index.
func (c *code) with(op byte, index uint32) { *c = u32(append(*c, op), index) }

func (c *code) i64(v int64) { *c = s64(append(*c, opI64Const), v) }

// onePiece writes the number [pieceBytes].
func (c *code) onePiece() { *c = s64(append(*c, opI32Const), pieceBytes) }

// opcode writes the instruction of the original in its shortest form: wazero's
// interpreter takes longer ones for something else.
func (c *code) opcode(o wasm.Op) {
	if o > 0xff {
		*c = u32(append(*c, byte(o>>8)), uint32(o&0xff))
		return
	}
	*c = append(*c, byte(o))
}
