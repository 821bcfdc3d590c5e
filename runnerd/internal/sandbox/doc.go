// Package sandbox runs core WebAssembly modules that speak WASI 0.1 on wazero. It
// knows no intents, no files of the node but its cache, and no bus.
//
// A module takes three steps. [Parse] checks its bytes and gives them meters. [Compile]
// turns those into machine code in the cache on disk; that can take all memory and time
// that it is given, and belongs into a process that may die (package compile).
// [Engine.Load] takes what lies in the cache and nothing else: one [Module] per blob and
// memory limit, shared by its users. A [Module] makes instances, each with memory of its own
// and used once: what one call leaves behind, no other sees.
//
// Guests see clocks, random numbers, arguments, environment, their standard
// streams, and the folders that are mounted for them (package mount); no other
// files, no network.
//
// Whoever runs a guest gives it a context. When that ends, the guest is stopped wherever
// it is, and its sleep ends at once: all modules have meters (package meter of the
// engine), which ask for fuel, and whether to go on, every some microseconds. Only a call
// of the host can keep it: one that does not return is left to itself ([ErrRunaway]), and
// the caller gets its answer in time.
//
// Memory and tables of an instance have one limit together. What it has used of fuel,
// memory and the processor is told when it is closed ([Env.Used]): the time of the
// processor by the clock of its thread, which costs 1 µs a call (BenchmarkStopwatch).
package sandbox
