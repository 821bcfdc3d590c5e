// Package wit has the types and values that pass between components and their
// host: those of WIT, the interface types of the component model.
//
// Values are plain Go values, so that host functions read like Go. For each type:
//
//	bool             bool
//	s8 … u64         int8 … uint64
//	f32, f64         float32, float64 (a NaN is any NaN)
//	char             rune
//	string           string, valid UTF-8
//	list<u8>         []byte
//	list<T>          []any
//	record, tuple    []any, a value for each field
//	variant          Choice
//	option, result   Choice: see None, Some, Ok and Error
//	enum             uint32, the index of the case
//	flags            uint32, the first flag is bit 0
//	own, borrow      Handle
//
// A []any that a function is given may be kept by it. A []byte that a function of the host
// is given is the guest's memory: it is not to be kept, nor changed.
package wit
