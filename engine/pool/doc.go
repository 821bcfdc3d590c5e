// Package pool keeps instances that nobody has used yet, as many as the load asks for, so
// that a call need not wait until one is made.
//
// A lease is exclusive, and an instance is leased once: what one call leaves behind, no
// other sees. Who leases gives the instance back by a function; that it is closed then, and
// another one made, is the pool's business: an engine that can put an instance back into
// its first state would do that there.
package pool
