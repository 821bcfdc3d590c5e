package canon

import (
	"slices"

	"github.com/tetratelabs/wazero/api"
)

// Func is a function as it is laid out.
type Func struct {
	params layout // a record, perhaps of nothing
	result *layout
}

// Lift is the type of the core function that a guest exports as f.
func (f *Func) Lift() (params, results []api.ValueType) {
	if params, results = f.flat(); len(results) > maxFlatResults {
		results = []api.ValueType{api.ValueTypeI32}
	}
	return params, results
}

// Lower is the type of the core function that a guest imports as f.
func (f *Func) Lower() (params, results []api.ValueType) {
	if params, results = f.flat(); len(results) > maxFlatResults {
		return append(params, api.ValueTypeI32), nil
	}
	return params, results
}

func (f *Func) flat() (params, results []api.ValueType) {
	if f.spilled() {
		params = []api.ValueType{api.ValueTypeI32}
	} else {
		params = slices.Clone(f.params.flat)
	}
	if f.result != nil {
		results = slices.Clone(f.result.flat)
	}
	return params, results
}

// LiftNeeds says which options a guest must have to export f.
func (f *Func) LiftNeeds() (memory, realloc bool) {
	realloc = f.spilled() || f.params.lists
	return realloc || f.returned() || f.result != nil && f.result.lists, realloc
}

// LowerNeeds says which options a guest must have to import f.
func (f *Func) LowerNeeds() (memory, realloc bool) {
	realloc = f.result != nil && f.result.lists
	return realloc || f.returned() || f.spilled() || f.params.lists, realloc
}

// spilled reports whether the parameters are in memory, returned whether the result is.
func (f *Func) spilled() bool  { return len(f.params.flat) > maxFlatParams }
func (f *Func) returned() bool { return f.result != nil && len(f.result.flat) > maxFlatResults }
