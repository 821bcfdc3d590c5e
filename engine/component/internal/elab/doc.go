// Package elab works out, once, what making an instance of a component comes to: a
// list of core modules to instantiate, in order, and where each of their imports comes
// from.
//
// It goes through the definitions of a component as instantiation would, nested
// components and all, with what each definition stands for in place of what it will be:
// a core function is an export of the n-th core instance, or the n-th function of the
// host. What remains for run time has neither components nor index spaces.
//
// Components must be valid (package valid). They may be made so that their
// elaboration grows exponentially, by nesting; [Caps] bound that.
package elab
