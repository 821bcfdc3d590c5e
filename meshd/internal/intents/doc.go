// Package intents keeps the set of signed intents that this node holds: the one way
// in for them, from whatever side.
//
// What the set means is decided by package ledger. This package decides what comes
// in (a submitted intent must follow what is known; one that another member has
// held need not), makes it last, and shows the node's other daemons what counts:
//
//   - The truth is a log, a file of this daemon: JSON lines of envelopes. An
//     addition goes into the set in memory, then into the log, synced, and only
//     then to whoever has brought it; what cannot be written leaves the set again.
//     Additions that arrive at the same time share one wait for the disk.
//   - The log is also the proof that this node has held something before: what a key
//     has signed before the owner replaced it counts until the rotation is settled,
//     and nothing new of it is taken.
//   - A crash at any byte leaves a last line cut short, or a batch that is to be taken
//     as a whole without its end, which is dropped: nobody was told of it. A damaged line before others is an error, since going on
//     without it could hide a revocation.
//   - When the log is opened, and when it has grown to twice what is held, lines of
//     intents that are no longer held go.
//   - The [Projection], the bucket of the bus, is written after the log and brought
//     in line with it at the start and whenever the bus comes back. Nothing is
//     believed for standing there; what is signed well and missing here is taken.
//
// An old copy of the log that somebody has put back is behind, and nothing worse:
// other members, and the bucket, bring what is missing, and a lower number never
// replaces a higher one.
package intents
