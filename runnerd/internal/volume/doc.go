// Package volume keeps the state of programs on this node.
//
// A volume has a name in its realm, and a copy of it is a folder of this node:
//
//	volumes/NAME/volume.json    what is known of it
//	volumes/NAME/data/          what its program sees
//	volumes/.void/NAME.EPOCH/   a copy that does not count any more, set aside; with the id
//	                            of its realm behind, if the node is of another one now
//	volumes/.new-NAME/          one that is being made; what a crash leaves of it is removed
//
// A copy is made when a program wants it and none is there, or when the owner has said
// that this node is to have one (see [api.Volume]). It appears whole, by being renamed,
// and is on disk then. What the owner has decided is looked at whenever a program wants a
// copy, and by [Manager.Obey]; a copy that is in use stays as it is until nobody has it
// open. Only what the owner has cleared is removed; the rest is set aside.
//
// A copy is told to other members once it is established: a program has come up with it, or
// the owner has had it made. Before that nothing is lost with it, and another member may
// begin anew.
//
// Concurrency: a Manager is safe for use by several goroutines. The making of a copy waits
// for its files, and for nothing else; copies are made side by side.
package volume
