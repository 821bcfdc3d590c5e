// Package upgraded is the daemon that answers for the node's release: it tells the
// launcher its version when it becomes ready, and serves its metrics. It changes
// nothing on the node.
//
// Concurrency: Run waits in one goroutine. Failure: it holds no state, so that
// starting again is all that a crash takes.
package upgraded
