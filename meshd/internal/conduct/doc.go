// Package conduct judges members by what they send to this node.
//
// Being a member lets nobody do harm with it: a key may have been stolen, or a
// program be broken. For each peer the [Book] counts what is wrong with what comes
// from it: messages that are forged or not allowed, that cannot be read, that are
// too many, that are old and repeated, or that contradict each other. Each offence
// is worth points, which halve every [HalfLife].
//
// What follows, in this order: messages beyond a [Class]'s rate are dropped; the
// score that gossip asks for falls until it ignores the peer; at [BlockAt] points
// the peer is cut off for [BlockFor]. People see a sentence about it beside the
// peer ("realm peers").
//
// Blame falls on who has handed something over, whose name the connection vouches
// for; on the author of a message only for what its signature proves. Who passes on
// what others have said is therefore not blamed for what it could not know, and
// nobody can have somebody else blamed.
package conduct
