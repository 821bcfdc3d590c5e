// Package node puts the parts of the mesh together into one member: host,
// neighbours, discovery, gossip, intents, facts, sync, streams and blobs. It
// knows nothing of the bus: where intents are kept is an interface, and the facts
// table is read and fed by whoever runs it.
//
// An intent comes in one of three ways: submitted here, by gossip, or by sync.
// All three end in the same acceptance (package intents). What was submitted here
// is gossiped. What came by gossip has been passed on already. What came by sync
// is gossiped again when it is little, so that two halves of a mesh that meet
// again do not wait for their neighbours' next round; a node that catches up on
// a lot keeps it to itself, since everybody else has it.
//
// Order of start: everything is registered on a silent host, then the host
// listens, then the loops run. Order of stop: the loops end, requests in flight
// finish, then the host says goodbye, which neighbours notice at once.
package node
