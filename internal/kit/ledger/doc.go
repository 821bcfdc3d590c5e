// Package ledger is the set of signed intents of a realm that a node holds, and all
// that follows from it: what is wanted, who may sign what, and who is a member.
//
// It is a pure data structure: no files, no clock of its own, no goroutines. What
// follows from a set does not depend on the order in which it came together, so
// that members that hold the same intents agree without asking each other; two
// sets are made equal by adding each one's intents to the other. docs/INTENTS.md
// is the specification, with examples that the tests of this package read.
//
// What a node reads back from its own disk goes through [Ledger.Restore], what comes
// from elsewhere through [Ledger.Add] and [Ledger.AddAll]: while the owner's key is
// being replaced, only the first takes what the old key has signed.
//
// Parties and keys: the owner signs everything and can hand the realm over to a new
// key (rotate). A granted key signs what its grant allows. An invite's key makes
// nodes members, each countersigned by one that is a member already. A node's key
// signs nothing but that.
//
// Threats that it stands up to: intents of strangers, of retired and of revoked
// keys; of granted keys outside their rights; replays in any order; forks; two
// rotations that contradict each other (the first one seen holds); invites used
// after their time; memberships countersigned by nobody, or in a circle; keys that
// fill the set. It does not protect from the holder of the owner's current key.
package ledger
