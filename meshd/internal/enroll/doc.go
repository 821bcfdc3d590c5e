// Package enroll makes nodes members that hold an invite: both sides of it.
//
// The parties are a joiner and a member. The joiner has a token (package invite): the
// key of an invite, which the owner has signed with limits. It signs its own node key
// with that, shows this in the handshake, and is a guest therefore: members talk to it
// by the service enroll alone, for a short time, and not often. It asks the first
// member that it reaches; that one checks the limits by its own clock, countersigns,
// keeps the result and tells it to everybody.
//
// The joiner talks to nobody that is no member: what the other side shows in the
// handshake must lead from the owner's key in the token to its membership. The answer
// must make the joiner a member by the same rules. So the worst that somebody between
// the two can do is nothing.
//
// Threats to a member: a flood of joiners, or of one (limits here, and those of
// package p2p before); bodies without an end; a join that was signed for another node.
// An invite that was copied makes as many members as it allows: that is what uses and
// expiry are for, and the owner revokes an invite with all that it has let in.
package enroll
