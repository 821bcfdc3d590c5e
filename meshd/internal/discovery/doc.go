// Package discovery finds members and keeps this node connected to them.
//
// It learns of members from four sources: the bootstrap list of the settings,
// the book of members that it was connected to before, mDNS on the local network,
// and what other members tell (their own facts, and whom they are connected to).
// Whoever it knows and is not connected to is dialled again and again, with
// exponential back-off and jitter: bootstrap members for ever, others until there
// are too many or nothing has been seen of them for a month. A star heals into a
// mesh this way. When as many members are connected as a node wants
// ([Config.Enough]), only bootstrap members are still dialled.
//
// Strangers (peers of another realm, found by mDNS) are not dialled while they
// are remembered as such.
package discovery
