// Package rollout decides how far a new version of a workload has come on the
// mesh: done, still on its way, or failed. [Judge] looks at one member, [Assess] at
// all of them, by the ranking that the members themselves act on (package
// placement). Both are functions over facts, so that every case is a row of a table;
// who watches the facts is the caller's.
package rollout
