// Package kubo drives nodes of IPFS's kubo, as built by its own project, so that
// benchmarks can set Realm beside them. The nodes know nobody but each other: they
// listen on loopback alone, and neither look for others nor report to anybody. All
// other settings are kubo's own.
package kubo
