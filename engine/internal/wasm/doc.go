// Package wasm decodes and validates core WebAssembly modules that anybody may have made.
//
// [Decode] accepts what the WebAssembly Core Specification 2.0 calls valid, with
// extended constant expressions, and nothing else; see [Features] for what can be added.
// Its invariants:
//
//   - It never panics.
//   - Every count is held against the bytes that are left before it is believed, and
//     against [Caps]. Memory and time are linear in the length of the module.
//   - What it refuses, it refuses with an [*Error]: where, and why.
//
// A [Module] keeps parts of the bytes that it was decoded from. Code is looked at again
// through [Body.Instrs], which cannot fail on what was accepted.
//
// Section numbers in comments are those of the specification, release 2.0 (2022-04-19).
package wasm
