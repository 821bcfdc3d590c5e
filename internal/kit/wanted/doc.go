// Package wanted says what is to run in the realm, by the signed intents that this
// node was shown, and who is a member of it. What of that is this node's to do is for
// its daemons to conclude, each by a Book of its own.
//
// Whoever shows them is not believed: each intent is read again, and what follows
// from all of them is what a ledger of this daemon's own says, which begins with the
// pinned owner key. Marks on disk keep how far each signer has come with each name:
// what is older than its mark is a replay, also after a restart.
//
// Intents come one by one or many at a time, in any order. [Book.Take] takes them in
// with one wait for the disk and returns what is otherwise than before: a version is
// wanted, or nothing any more, since nobody has a say who has asked for it. One that
// cannot be used yet (its signer's grant is still on its way) is kept and looked at
// again when there is more.
//
// The package knows nothing of the bus.
package wanted
