// Package canon is the canonical ABI of components: how values of package wit become
// values of core WebAssembly, in parameters, results and memories, and come back from
// there; and what a component instance may do when, with its handles above all.
//
// The idea: a [Planner] lays out the functions of a component once, and what it returns
// is shared by all that run it. A [Store] is one running component: a tree of
// component instances, each an [Instance] with its table of handles. A [Lifted] is what
// an instance exports, to be called with Go values. A [Lowered] is what it imports, to be
// called by its core modules; behind it stands a function of the host or the Lifted of
// another instance.
//
// Invariants:
//
//   - A Store, and all that belongs to it, is used by one goroutine at a time.
//   - Guests are hostile. Each of their breaches is a [Trap], each value of the host's
//     that does not fit its type a [ValueError]; neither is a panic.
//   - Between components values pass as Go's, so strings as UTF-8: what is asked of the
//     callee's realloc is as for one from there.
//   - A call that fails, for whatever reason, poisons the instances that it was in: they
//     are not entered again.
//   - What a call costs is charged before it is done, in steps ([Meter]); the Go memory
//     of lifted values is bounded before it is taken ([Config]).
//   - An own handle is always in one place: a table, or the hands of the host. Who is
//     given one, by a call that went well, is to drop it or to pass it on; where passing it
//     on fails, resources of the host are dropped there.
//   - No slice of a guest's memory outlives a call of the guest.
package canon
