// Package valid checks components as the component model's specification has it, as far as
// WASI 0.2 goes.
//
// [Check] is given the syntax of a component and builds types from it: each definition has
// one, and what refers to it is held against that. Types of values are compared by their
// structure, resources by identity. A component's type abstracts over the resources that it
// imports and those that it defines and exports: to instantiate it is to find
// which resources the arguments have in place of the former, to make fresh ones for the
// latter, and to replace both in the types of its exports.
//
// The invariant that others rely on: if Check returns nil, the component and those in it
// can be elaborated without looking again. Indices are in range. Sorts are those that
// are needed where a reference stands, names that are looked up are there. Arguments
// match imports: core functions have equal types, tables, memories and globals
// matching ones. Core functions that are lifted have the signature that the Canonical ABI
// gives the function, and memories and functions in options are there if it needs them and
// have the types that it needs.
//
// Other invariants:
//
//   - Check never panics, and does not change the component.
//   - Its time and memory are bounded by [binary.Caps], which count work and not time: the
//     same component is always refused or never.
//   - What it refuses, it refuses with a [*binary.Error]: where, and why.
//
// Where the specification leaves a choice, functions have to have equal types to match, not
// one a subtype of the other's: callers and callees then agree on a signature.
package valid
