package wasmtest

import (
	"bytes"
	"encoding/binary"
	"time"
)

// Step is something that the guest of a [Script] does.
type Step func(*script) []byte

// Script is a WASI command that does its steps in order: small enough that
// compiling it takes no time, unlike anything with a runtime.
func Script(steps ...Step) []byte { return Procedure("_start", steps...) }

// Procedure is a module that does steps whenever its one function, of that name, is called.
func Procedure(name string, steps ...Step) []byte {
	s := &script{next: scriptData}
	code := s.all(steps)
	i32 := func(n int) []byte { return bytes.Repeat([]byte{I32}, n) }
	return Module{
		Imports: []Import{
			{Module: "wasi_snapshot_preview1", Name: "proc_exit", Params: i32(1)},
			{Module: "wasi_snapshot_preview1", Name: "fd_write", Params: i32(4), Results: i32(1)},
			{Module: "wasi_snapshot_preview1", Name: "fd_read", Params: i32(4), Results: i32(1)},
			{Module: "wasi_snapshot_preview1", Name: "poll_oneoff", Params: i32(4), Results: i32(1)},
			{Module: "wasi_snapshot_preview1", Name: "path_open", Params: []byte{I32, I32, I32, I32, I32, I64, I64, I32, I32}, Results: i32(1)},
		},
		Funcs:    []Func{{Export: name, Code: code}},
		MinPages: uint32(s.next>>16) + 1,
		Data:     s.data,
	}.Bytes()
}

// Where a script keeps what it hands to WASI, in its memory.
const (
	scriptVec    = 0    // one vector: address, length
	scriptCount  = 8    // how many bytes, or events, there were
	scriptEvent  = 64   // one event
	scriptBuffer = 1024 // for what is read
	scriptLimit  = 4096 // bytes read at once
	scriptData   = 8192 // texts
)

// Imports of a script, by their index.
const (
	procExit = iota
	fdWrite
	fdRead
	pollOneoff
	pathOpen
)

type script struct {
	data []Data
	next int32 // address of the next text
}

func (s *script) all(steps []Step) []byte {
	var code []byte
	for _, step := range steps {
		code = append(code, step(s)...)
	}
	return code
}

// text puts t into the memory and returns its address.
func (s *script) text(t string) int32 {
	at := s.next
	s.data = append(s.data, Data{Offset: at, Bytes: []byte(t)})
	s.next += int32(len(t))
	return at
}

// Instructions.
func i32Const(v int32) []byte   { return append([]byte{0x41}, s32(v)...) }
func wasmCall(f byte) []byte    { return []byte{0x10, f} }
func store(at, v []byte) []byte { return bytes.Join([][]byte{at, v, {0x36, 2, 0}}, nil) }

var loadCount = append(i32Const(scriptCount), 0x28, 2, 0)

// io calls fd_write or fd_read with the one vector; the error number stays.
func io(f byte, fd int32) []byte {
	return bytes.Join([][]byte{i32Const(fd), i32Const(scriptVec), i32Const(1), i32Const(scriptCount), wasmCall(f)}, nil)
}

func setVec(address int32, length []byte) []byte {
	return append(store(i32Const(scriptVec), i32Const(address)), store(i32Const(scriptVec+4), length)...)
}

// exitIf ends the script with a code if the number on the stack is not 0.
func exitIf(code int32) []byte {
	return bytes.Join([][]byte{{0x04, 0x40}, i32Const(code), wasmCall(procExit), {0x0b}}, nil)
}

// Exit codes of a script whose streams fail.
const (
	ExitRead  = 70
	ExitWrite = 71
)

func write(fd int32, text string) Step {
	return func(s *script) []byte {
		at := s.text(text)
		return bytes.Join([][]byte{setVec(at, i32Const(int32(len(text)))), io(fdWrite, fd), exitIf(ExitWrite)}, nil)
	}
}

// Out and Err write a text.
func Out(text string) Step { return write(1, text) }
func Err(text string) Step { return write(2, text) }

// Leave ends with an exit code.
func Leave(code int32) Step {
	return func(*script) []byte { return append(i32Const(code), wasmCall(procExit)...) }
}

// Fault traps.
func Fault() Step { return func(*script) []byte { return []byte{0x00} } }

// Forever repeats steps; none is a tight loop.
func Forever(steps ...Step) Step {
	return func(s *script) []byte {
		return bytes.Join([][]byte{{0x03, 0x40}, s.all(steps), {0x0c, 0, 0x0b}}, nil)
	}
}

// IfFile does one thing if a file of a name is in the folder that is mounted first,
// and another thing if not.
func IfFile(name string, there, not []Step) Step {
	return func(s *script) []byte {
		const firstMount = 3
		at := s.text(name)
		zero := i32Const(0)
		return bytes.Join([][]byte{i32Const(firstMount), zero, i32Const(at), i32Const(int32(len(name))), zero, {0x42, 0}, {0x42, 0}, zero,
			i32Const(scriptCount), wasmCall(pathOpen), {0x04, 0x40}, s.all(not), {0x05}, s.all(there), {0x0b}}, nil)
	}
}

// Copy writes all of stdin to stdout; Drain reads it.
func Copy() Step  { return readAll(append(io(fdWrite, 1), exitIf(ExitWrite)...)) }
func Drain() Step { return readAll(nil) }

func readAll(then []byte) Step {
	return func(*script) []byte {
		return bytes.Join([][]byte{{0x02, 0x40, 0x03, 0x40}, // block loop
			setVec(scriptBuffer, i32Const(scriptLimit)), io(fdRead, 0), exitIf(ExitRead),
			loadCount, {0x45, 0x0d, 1}, // nothing more: leave the block
			setVec(scriptBuffer, loadCount), then,
			{0x0c, 0, 0x0b, 0x0b}}, nil)
	}
}

// Sleep waits.
func Sleep(d time.Duration) Step {
	return func(s *script) []byte {
		timer := make([]byte, 48)
		timer[16] = 1 // the monotonic clock
		binary.LittleEndian.PutUint64(timer[24:], uint64(d))
		s.data = append(s.data, Data{Offset: s.next, Bytes: timer})
		at := s.next
		s.next += int32(len(timer))
		return bytes.Join([][]byte{i32Const(at), i32Const(scriptEvent), i32Const(1), i32Const(scriptCount), wasmCall(pollOneoff), exitIf(ExitRead)}, nil)
	}
}
