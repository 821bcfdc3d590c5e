// Package catchup is how members bring each other up to date, point to point: the
// sync service. Gossip is fast but tells nobody who is away; whoever comes back,
// or meets somebody new, asks.
//
// It speaks HTTP over a libp2p stream. A member asks for the summary of intents
// that another holds, fetches those that would be news, and puts each through the
// same acceptance as any other (package intents): the other side is not trusted
// to have checked, only to deliver. It asks for the other's facts and for the
// members that it is connected to at the same time.
//
// Both sides of a new connection ask at once. Besides, every [Interval] a member
// asks one of its neighbours, taken at random, so that nothing depends on luck.
package catchup
