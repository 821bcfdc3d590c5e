// Package votes keeps what this node, as an elector of strict jobs, has promised to whom.
//
// For each execution to come, (root, run, epoch), it gives its vote to one member only,
// the first that asks, and to that again whenever it asks again. The vote is on disk
// before it is told, so that a node that was killed, or whose machine lost power, keeps
// its word. Two majorities of one set of electors have a member in common; so nobody but
// one member has a majority for an execution, and without one it is not begun. A vote is
// free again only when the member that has it gives it back, which it does without having
// begun, or when the job is gone.
//
// The file is a line of JSON for each change, appended and synced, and written anew when
// most of its lines have no meaning any more. A last line that was cut off by a crash was
// never told to anybody, and is dropped.
package votes
