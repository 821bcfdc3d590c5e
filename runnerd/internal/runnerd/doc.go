// Package runnerd is the daemon that runs programs: it puts the domain packages
// beside it on the node's bus and socket.
//
// Role: it watches the intents that meshd has accepted, and what meshd tells of other
// members. Package wanted says what follows from the intents, package reconcile what
// of that is this node's to do, and package workload brings it about. The workloads
// bucket tells where this node stands with each; events tell of every change. On its
// socket it answers calls of functions and requests for components, on the bus and
// the socket why something runs where it does.
//
// Concurrency: what package workload says of its own, one goroutine for each of the
// four watches, one that takes intents in, as many at a time as have come, one that
// decides, and one that writes facts. Calls and requests run in the goroutines of the
// HTTP server, through gates that bound how many do at once.
//
// Failure: what is known about a workload is in the intents bucket, the marks and
// the last good intents on disk; all else is made again at the start. A program
// that cannot run is a fact, not an error of the daemon. When the bus is away,
// programs run on and facts are told again afterwards.
package runnerd
