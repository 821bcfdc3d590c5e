// Package runnerd is the daemon that runs programs: it puts the domain packages
// beside it on the node's bus and socket.
//
// Role: it watches the intents that meshd has accepted, has package wanted draw its
// own conclusions from them and package workload bring those about, and tells in the
// workloads bucket where this node stands with each. On its socket it answers calls
// of functions and requests for components.
//
// Concurrency: one goroutine per workload (package workload), one for each of the
// two watches, one that takes intents in, as many at a time as have come, and one that
// writes facts. Calls and requests run in the goroutines of
// the HTTP server, through gates that bound how many do at once.
//
// Failure: what is known about a workload is in the intents bucket, the marks and
// the last good intents on disk; all else is made again at the start. A program
// that cannot run is a fact, not an error of the daemon. When the bus is away,
// programs run on and facts are told again afterwards.
package runnerd
