package wasmtest

import "encoding/binary"

// HostCall is a command that calls a function of WASI, and exits with the error number that
// it returns, or does so for ever.
type HostCall struct {
	Name    string
	Args    []any // int32 or int64
	Pages   uint32
	Data    []Data
	Forever bool
}

// Bytes encodes the command.
func (h HostCall) Bytes() []byte {
	var params, code []byte
	for _, a := range h.Args {
		switch v := a.(type) {
		case int32:
			params, code = append(params, I32), append(code, i32Const(v)...)
		case int64:
			params, code = append(params, I64), append(append(code, 0x42), s64(v)...)
		}
	}
	code = append(code, wasmCall(1)...)
	if h.Forever {
		code = append(append([]byte{0x03, 0x40}, code...), 0x1a, 0x0c, 0, 0x0b) // loop … drop br 0 end
	} else {
		code = append(code, wasmCall(0)...)
	}
	return Module{
		Imports: []Import{
			{Module: "wasi_snapshot_preview1", Name: "proc_exit", Params: []byte{I32}},
			{Module: "wasi_snapshot_preview1", Name: h.Name, Params: params, Results: []byte{I32}},
		},
		Funcs:    []Func{{Export: "_start", Code: code}},
		MinPages: h.Pages,
		Data:     h.Data,
	}.Bytes()
}

// Vectors are n vectors of the same part of the memory, as WASI takes them.
func Vectors(at int32, n int, address, length uint32) Data {
	var b []byte
	for range n {
		b = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, address), length)
	}
	return Data{Offset: at, Bytes: b}
}
