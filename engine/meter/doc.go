// Package meter rewrites core WebAssembly modules so that what they run is counted,
// bounded, and can be stopped. It is made for wazero, and needs nothing of it but a host
// function.
//
// # What it promises
//
// Modules may come from anybody. A module that [Instrument] accepts is valid, and what it
// returns
//
//   - counts fuel: one unit for each instruction, none for nop, drop, block, loop,
//     unreachable, return, else and end, as wasmtime does. Operations on many bytes cost
//     by their length ([BytesPerFuel]). A count is exact at calls of the host and when a
//     call returns; it is the same on every machine, compiled or interpreted. Functions
//     of the host say themselves what they cost ([Budget.Charge]).
//   - asks the host again and again whether to go on: [Budget] answers, by fuel, deadline
//     and cancellation. Between two questions lies a bounded amount of work, whatever
//     the guest does: it cannot loop, recurse, or fill memory for longer.
//   - bounds the depth of its calls ([Options.Stack]) before the host's memory does.
//   - cannot see or touch what was added: imports and exports by these names are refused,
//     all indices are checked before any is added.
//   - takes memory and tables out of one [Space], if it is given one; what grows beyond it
//     fails in the guest.
//
// It does not bound the time that a module takes to compile: do that in a process which
// you can kill. Nor can anything end the making of an instance, which looks at every
// element of every segment (0.2 µs each): bound them by [Caps].
//
// [Parse] says what a module is, its [Shape], before anything is made of it.
//
// # How it works
//
// Fuel is handed out in slices. The instance keeps what is left of its slice in a global,
// functions that loop in a local. Each basic block takes its cost off at its begin. When
// less than nothing is left, at the entry of a function or where a loop begins anew, the
// guest calls the imported function refill, which is given what is left and returns the
// next slice, or does not return. A loop becomes two within each other, with that call in
// the outer one, where it does not stand in the way of registers.
package meter
