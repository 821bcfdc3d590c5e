// Package node puts the parts of the mesh together into one node of a realm: host,
// neighbours, discovery, gossip, intents, facts, sync, streams, blobs and the desk
// where others join. It knows nothing of the bus: who keeps the intents is handed in,
// and the facts table is read and fed by whoever runs it.
//
// Who may connect is decided in the handshake, from what this node holds and from the
// proof that the other side shows (package ledger). A member may everything; a client,
// a command line without a node, too, until its time is over; a joiner finds the desk
// and nothing else; all others have no connection. What a proof brings is kept. When
// somebody's say changes, everything is looked at again within a second: connections
// of those who are members no more are closed and their facts forgotten, the owner's
// new key is pinned, and this node takes the roles that its membership names. When the
// node's own proof is overtaken by that, it asks to be opened again with the new one.
//
// A node that is no member itself, not yet or not any more, is the same node: it dials
// and is refused, until the owner lets it in.
//
// An intent comes submitted here, by gossip, by sync, in a handshake or at the desk.
// All end in the same acceptance (package intents). What was submitted or let in here
// is gossiped. What came by gossip has been passed on already. What came by sync is
// gossiped again when it is little, so that two halves of a mesh that meet again do
// not wait for their neighbours' next round; a node that catches up on a lot keeps it
// to itself, since everybody else has it.
//
// Order of start: everything is registered on a silent host, then the host
// listens, then the loops run. Order of stop: the loops end, requests in flight
// finish, then the host says goodbye, which neighbours notice at once.
package node
