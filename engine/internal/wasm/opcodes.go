package wasm

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

// Op is an instruction: its byte, or its prefix and its number after it in two bytes.
type Op uint16

// Instructions that are looked at one by one.
const (
	OpUnreachable  Op = 0x00
	OpNop          Op = 0x01
	OpBlock        Op = 0x02
	OpLoop         Op = 0x03
	OpIf           Op = 0x04
	OpElse         Op = 0x05
	OpEnd          Op = 0x0b
	OpBr           Op = 0x0c
	OpBrIf         Op = 0x0d
	OpBrTable      Op = 0x0e
	OpReturn       Op = 0x0f
	OpCall         Op = 0x10
	OpCallIndirect Op = 0x11
	OpReturnCall   Op = 0x12
	OpReturnCallIn Op = 0x13
	OpDrop         Op = 0x1a
	OpSelect       Op = 0x1b
	OpSelectTyped  Op = 0x1c
	OpLocalGet     Op = 0x20
	OpLocalSet     Op = 0x21
	OpLocalTee     Op = 0x22
	OpGlobalGet    Op = 0x23
	OpGlobalSet    Op = 0x24
	OpTableGet     Op = 0x25
	OpTableSet     Op = 0x26
	OpMemoryGrow   Op = 0x40
	OpRefNull      Op = 0xd0
	OpRefIsNull    Op = 0xd1
	OpRefFunc      Op = 0xd2
	OpMemoryInit   Op = 0xfc08
	OpDataDrop     Op = 0xfc09
	OpMemoryCopy   Op = 0xfc0a
	OpMemoryFill   Op = 0xfc0b
	OpTableInit    Op = 0xfc0c
	OpTableCopy    Op = 0xfc0e
	OpTableGrow    Op = 0xfc0f
	OpTableFill    Op = 0xfc11
)

// Prefixes of instructions of two parts.
const (
	prefixMisc   = 0xfc
	prefixSIMD   = 0xfd
	prefixAtomic = 0xfe
)

func (o Op) String() string {
	if i := lookup(o); i != nil {
		return i.name
	}
	if o > 0xff {
		return fmt.Sprintf("%#x %d", byte(o>>8), byte(o))
	}
	return fmt.Sprintf("%#x", byte(o))
}

// immediate is a part of an instruction that follows its opcode.
type immediate byte

const (
	immBlock immediate = iota + 1
	immLabel
	immLabels
	immFunc
	immIndirect // a type, and a table
	immLocal
	immGlobal
	immTable
	immMemory // a byte: the memory
	immData
	immElem
	immMem  // alignment and offset
	immLane // a byte
	immI32
	immI64
	immF32
	immF64
	immV128
	immShuffle // 16 lanes of 32
	immTypes
	immRef
)

var immediates = map[string]immediate{"block": immBlock, "label": immLabel, "labels": immLabels, "func": immFunc,
	"indirect": immIndirect, "local": immLocal, "global": immGlobal, "table": immTable, "memory": immMemory,
	"data": immData, "elem": immElem, "mem": immMem, "lane": immLane, "i32": immI32, "i64": immI64, "f32": immF32,
	"f64": immF64, "v128": immV128, "shuffle": immShuffle, "types": immTypes, "ref": immRef}

// info is what is known of an instruction.
type info struct {
	name  string
	imm   []immediate
	align uint32 // of a memory access, as a power of two, at most
	lanes byte
	// fixed: params and results say all of its type.
	fixed           bool
	params, results []ValueType
}

//go:embed opcodes.txt
var opcodes string

// instructions has the instructions of one byte first, then those of each prefix.
var instructions = parseOpcodes(opcodes)

type opcodeTable struct{ plain, misc, simd [256]*info }

func lookup(o Op) *info {
	switch o >> 8 {
	case 0:
		return instructions.plain[o]
	case prefixMisc:
		return instructions.misc[byte(o)]
	case prefixSIMD:
		return instructions.simd[byte(o)]
	}
	return nil
}

// parseOpcodes reads opcodes.txt. It panics where that is not as it should be.
func parseOpcodes(text string) *opcodeTable {
	t := new(opcodeTable)
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0][0] == '#' {
			continue
		}
		code, err := strconv.ParseUint(f[0], 16, 16)
		if err != nil || len(f) != 4 {
			panic("opcodes.txt: " + line)
		}
		i := &info{name: f[1]}
		i.takeImmediates(f[2])
		i.takeSignature(f[3])
		switch code >> 8 {
		case prefixMisc:
			t.misc[byte(code)] = i
		case prefixSIMD:
			t.simd[byte(code)] = i
		default:
			t.plain[code] = i
		}
	}
	return t
}

func (i *info) takeImmediates(text string) {
	if text == "-" {
		return
	}
	for word := range strings.SplitSeq(text, "+") {
		kind, known := immediates[word]
		if !known { // memN, laneN
			name := strings.TrimRight(word, "0123456789")
			n, err := strconv.ParseUint(word[len(name):], 10, 8)
			if kind = immediates[name]; err != nil || kind == 0 {
				panic("opcodes.txt: immediate " + word)
			}
			switch kind {
			case immMem:
				i.align = uint32(n)
			case immLane:
				i.lanes = byte(n)
			}
		}
		i.imm = append(i.imm, kind)
	}
}

func (i *info) takeSignature(text string) {
	params, results, fixed := strings.Cut(text, ":")
	if i.fixed = fixed; fixed {
		i.params, i.results = typesOf(params), typesOf(results)
	}
}

func typesOf(letters string) (out []ValueType) {
	for _, c := range letters {
		out = append(out, map[rune]ValueType{'i': I32, 'l': I64, 'f': F32, 'd': F64, 'v': V128}[c])
	}
	return out
}
