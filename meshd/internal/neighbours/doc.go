// Package neighbours knows who this node is connected to: members of the realm,
// told apart from strangers, alive, and noticed when they are gone.
//
// A peer counts from the moment that identify has shown the realm's protocols;
// one that does not speak them is cut off and remembered as a stranger for a
// while. Every connection is pinged every [Interval], and closed when an answer
// takes longer than [Timeout]: a member whose machine lost power is noticed
// after 6 to 8 s. One that was killed and came back on its old port
// is noticed at once, since a second connection makes the first be pinged there
// and then.
//
// A node whose key was copied shows as two that both answer pings: see [Config.Conflict].
//
// Callbacks are called one after the other, in the order of events, from one
// goroutine, but for Config.RTT. They must not block.
package neighbours
