// Package sandbox runs core WebAssembly modules that speak WASI 0.1 on wazero. It
// knows no intents, no files of the node but its cache, and no bus.
//
// A module takes two steps. [Compile] turns its bytes into machine code in the
// cache on disk; that can take all memory and time that it is given, and belongs
// into a process that may die (package compile). [Engine.Load] takes what lies
// in the cache and nothing else: one [Module] per blob and memory limit,
// shared by its users. A [Module] makes instances, each with memory of its own
// and used once: what one call leaves behind, no other sees.
//
// Guests see clocks, random numbers, arguments, environment, their standard
// streams, and the folders that are mounted for them (package mount); no other
// files, no network.
//
// Whoever runs a guest gives it a context. When that ends, the guest is stopped
// at its next loop iteration, and its sleep ends at once. A guest that neither
// loops nor sleeps (a deep tree of calls) may go on for a while: it is left to
// itself then ([ErrRunaway]), and the caller gets its answer in time.
//
// Ending a guest by its context is wazero's own mechanism (WithCloseOnContextDone).
// It has each loop iteration pass through Go, which costs speed, and lets the
// garbage collector and the scheduler interrupt guests in tight loops.
package sandbox
