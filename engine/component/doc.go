// Package component runs WebAssembly components of WASI 0.2 on wazero, which knows core
// modules alone.
//
// [Parse] reads a component: it is decoded, validated, and elaborated into a plan (package
// elab), a list of core modules to instantiate. Each of them gets meters, and names for its
// imports that say where they come from. What the component imports that no host gives it
// is listed ([Component.Missing]).
//
// [Link] makes one module of the host for all the functions that core modules import, and
// [Linked.New] instances: the core modules, in order, each with what came before for its
// imports, and the handles of its component instances (package canon). All of an instance
// shares what its host gives to one guest: a budget, a limit of memory, a turn.
//
// Invariants:
//
//   - An instance is used by one goroutine at a time; it never runs again after a trap.
//   - No state is shared between instances but what cannot be changed.
//   - What is called without a plan's knowledge does not exist: all that core modules can
//     reach is in the lists of the plan.
package component
