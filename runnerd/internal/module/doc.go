// Package module reads the shape of a core WebAssembly module: its imports, its
// exported functions, its memory. It looks at bytes that anybody may have made,
// before anything else does, hence its invariants:
//
//   - It never panics, and its work and memory are linear in the input: every
//     count is held against the bytes that are left before it is believed.
//   - What it accepts stays below the ceilings in limits.go, so that whoever
//     decodes the module after it allocates no more than a small multiple of it.
//   - It does not look into function bodies: whether those are valid is for the
//     compiler to say, in a child process.
//
// [Compact] rewrites an accepted module without what only costs time when
// instances are made: custom sections, and data in tens of thousands of pieces.
//
// The format is that of the WebAssembly Core Specification 2.0, chapter 5.
package module
