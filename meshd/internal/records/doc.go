// Package records keeps what members say of executions of jobs, and brings it to others.
//
// A record is signed by the member that it is of, so anybody may pass it on: what this
// node's runnerd says comes from the bus and is gossiped, what others say comes by gossip
// or when a neighbour is asked, and goes to the bus, where it is on disk. Of two records
// of one execution the newer counts ([api.JobRecord.Newer]); so nodes that have exchanged
// all they have hold the same.
//
// To compare, each node makes a digest of each of [Parts] parts of its records. Who asks
// sends its own, and is answered with the records of the parts that differ.
//
// Records of jobs whose intent is gone are removed after [Keep], or when what goes on of
// them has ended, those of a job that runs
// again and again when it has newer ones ([Shelf.Prune]), and of more than [Most] the
// oldest that have ended of the member that has most: one that says too much pushes out
// what it has said itself. Every member does so by the same rule, and takes no such record
// from others: it would come back for ever from those who look a moment later.
package records
