// Package meshd is the daemon that makes a node a member of its realm: the only
// one that speaks libp2p. It turns what the node's other daemons say on the bus
// and on its socket into gossip, sync and streams, and back.
//
// The work is in the packages beside this one, which know nothing of the bus. This
// package reads the node's identity, opens the member (package node), and joins
// it to the bus: the intents bucket is the member's store, the peers and
// workloads buckets mirror its table of facts, subjects and routes end in one
// call each.
//
// Failure model: the bus may go away at any time and come back, its in-memory
// buckets empty; what is in them is written again. A node that has no owner yet
// comes up, says so, and takes no part in any realm.
package meshd
