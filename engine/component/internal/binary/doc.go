// Package binary decodes components as their binary format has them, and names their
// syntax.
//
// [Decode] accepts what the format (version 0x0d, layer 1) says of components without
// the features that came after WASI 0.2, and nothing else. Its invariants:
//
//   - It never panics.
//   - Every count is held against the bytes that are left before it is believed, and
//     against [Caps]. Memory and time are linear in the length of the component.
//   - What it refuses, it refuses with an [*Error]: where, and why. A component that is
//     refused since it needs a later feature is read on where that can be done, so that
//     the error names all of them.
//
// Core modules in it are valid. Nothing else is: no index was looked at. Package valid does
// that.
//
// A [Component] refers to the bytes that it was decoded from.
package binary
