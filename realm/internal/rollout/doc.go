// Package rollout decides how far a new version of a workload has come on the
// mesh: done, still on its way, or failed. It is made of functions over facts, so
// that every case is a row of a table; who watches the facts is the caller's.
package rollout
