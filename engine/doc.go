// Package engine runs WebAssembly that anybody may have made, on wazero: core modules with
// WASI 0.1, and components with WASI 0.2 (package component). It needs nothing of a node of
// Realm.
//
// # Threat model
//
// Who made a module may want to end the host, to read or change what is not given to it,
// to keep processors, memory or threads, or to learn what another call has left behind.
// Modules and what guests pass to the host are hostile. Trusted are this process, the
// operating system, the folder of the cache, which must be its user's alone, and wazero's
// compiler as far as the code is right that it makes; that it ends, or ends well, is not.
//
//   - [Parse] decodes and validates a module before anything else sees it, in time and
//     memory linear in its length, and gives it meters (package meter).
//   - A [Compiler] has it compiled in a child process with limits of memory, time and size
//     of its output, since a module of some hundred bytes can make a compiler take all
//     memory, run for minutes, or panic, and a context ends none of it. A bomb costs one
//     child, and gives a [*RefusedError].
//   - [Engine.Load] takes machine code from the cache and nothing else, whose digest was
//     written down when it was made.
//   - A component is as many modules as it has, and one guest: all that is said here of an
//     instance goes for all of them together.
//   - A [Module] makes instances, each with memory of its own and used once: what one call
//     leaves behind, no other sees. Memory and tables of an instance have one limit. What
//     memories begin with they may share, until they write there: nobody can change it.
//   - Guests see clocks, random numbers, arguments, environment, their standard streams,
//     and the folders that are mounted for them (package mount): no other files, and no
//     network, but for what a [Sender] sends for components.
//   - Calls of the host cost fuel, each ([HostCallFuel]) and by what it moves, and look
//     piece by piece whether the guest may go on. What they are handed is bounded, so that
//     it takes no memory of the host's beyond that of the guest.
//   - A call ends with its context, its fuel, its stack or its memory, wherever the guest
//     is; a sleep ends at once. Only a stream or a disk that does not return can keep it:
//     it is left to itself then ([ErrRunaway]), and its caller gets an answer.
//
// Not promised: that guests cannot tell how loaded the machine is, or learn of each other
// by the time that things take.
//
// # Figures
//
// What an instance has used of fuel, memory and the processor is told when it is closed
// ([Env.Used]): the time of the processor by the clock of its thread, which costs 1 µs a
// call (BenchmarkStopwatch).
package engine
