// Package plan compares what a manifest asks for with what is wanted on the mesh now,
// and says what has to be signed so that the two are the same.
//
// A manifest looks after the components that it has signed: their intents name it as
// their source, and it alone changes or removes them; those of another source are
// taken over only where that is asked for. What people have changed by hand meanwhile
// (scaled, stopped, removed) is found by comparing with the version that the manifest
// itself asked for last, and put right.
//
// The version of a manifest never goes down: the highest one is in its own intent,
// which is signed after all others, and, until that is done, in those of its
// components. So it holds for every machine that a manifest is applied from, and an
// apply that was cut short is completed by the next.
package plan
