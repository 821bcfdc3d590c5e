// Package collect keeps the store of a node within its quota, by removing blobs that
// nobody needs there, and decides what those are.
//
// # What may go
//
// A blob may be collected when all of this holds:
//
//   - it is not pinned on this node;
//   - it is not leased: nobody reads it, fetches it or mends it here;
//   - the realm does not need it at all; or it does, but this node is not one of its
//     keepers and runs nothing of it, *and* every keeper has just confirmed that it
//     has the blob whole.
//
// The second kind goes only where the first does not free enough. Within each the
// least recently used goes first. As long as it is not known what the realm needs
// ([References.Known]), nothing goes.
//
// # When
//
// The store asks before bytes are written. Where they do not fit ([Collector.Fits]), one
// caller at a time collects ([Collector.Make]), down to nine tenths of what there is
// room for, so that the next writers find room again; the others wait for it. What
// could not be met by collecting everything is refused before anything is collected:
// chunks that what must stay lists, too, count as staying, and keepers are asked first.
// A refusal says what is missing, what takes the room and what to do.
//
// The room that there is has two bounds: the quota, for the bytes of all chunks, and
// what the disk has left above its reserve. Bytes that writers were promised count
// from the promise on, so that several at once do not overshoot.
//
// # Full
//
// A node that could not keep more for the realm tells so: once more than 95 % of its
// room is taken by what may not be collected, until it is less than 85 %.
//
// A pin and the removal of its blob exclude each other: both happen under one lock,
// under which a victim is looked at once more.
package collect
