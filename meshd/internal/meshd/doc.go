// Package meshd is the daemon that makes a node a member of its realm: the only one
// that speaks libp2p. It turns what the node's other daemons say on the bus and on its
// socket into gossip, sync and streams, and back.
//
// The work is in the packages beside this one, which know nothing of the bus. This
// package reads the node's identity, and joins it to the bus: the intents bucket
// shows what counts of the log of intents, the peers and workloads buckets mirror the
// table of facts, subjects and routes end in one call each.
//
// A node passes through stages in one process, each with a libp2p host of its own on
// the same port. What it is follows from the files of its home:
//
//	no pin                     unclaimed: reached by who knows its pairing code, if it has one
//	a pin and a token          joining: asks members to let it in
//	a pin                      following: a member, one that was revoked, or one that
//	                           waits for the owner to let it in; see package node
//
// While it follows a realm, it asks the launcher how the node's other daemons are, and
// tells others which have been down for a while, so that nobody counts on them.
//
// All subjects and routes answer at all times, and say what the node is where it can
// do no more.
//
// Failure model: the bus may go away at any time and come back, its in-memory buckets
// empty or the others put back to an old copy; what is in them is written again.
package meshd
