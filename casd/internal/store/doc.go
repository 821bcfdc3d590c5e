// Package store keeps blobs in a folder, as chunks that are each stored once.
//
// A blob is named by the SHA-256 of its bytes and cut into chunks where its content
// says so (package cut): of 4 to 64 KiB up to 8 MiB, of 256 KiB to 1 MiB above 64 MiB, and between. Each
// is named by its own SHA-256. An index (package indexfile) lists the chunks of a blob
// in order; how its name ends says what is here of the blob:
//
//	chunks/ab/abcd…      the bytes of a chunk
//	blobs/ab/abcd….idx   index of a blob that is here, whole
//	blobs/ab/abcd….lost  of one that was, until a chunk turned out damaged
//	blobs/ab/abcd….part  of one that is being fetched; fetching goes on from here
//	corrupt/…            some of what failed its check, kept for a look until it is mended
//	tmp/                 what is being written; emptied at start
//
// Invariants:
//   - A file under chunks or blobs has its final content from the moment that its
//     name appears. It is written without a name in its folder, then linked (chunks, on
//     Linux: O_TMPFILE), or it is written under tmp, then renamed.
//   - Chunks are not synced one by one. A blob is acknowledged (Put or Complete
//     returns) only once all its chunks, whoever wrote them, its index and the folders
//     that hold them are synced. So a killed process loses nothing that it has fetched,
//     and a power cut may tear chunks of blobs that are not whole yet: Complete finds
//     them by the digest of the whole, and they are fetched again.
//   - Bytes leave the store only after their chunk's digest was checked, but for
//     [Store.PeekChunk]. A chunk that fails is moved aside, and the blobs that list it
//     count as missing until they are put or fetched again.
//   - A chunk's file stays for as long as an index, or a put on its way, lists it: each
//     counts in a table in memory, which is made anew at start. Who lists a chunk does so
//     before it looks whether its file is here; who removes one does so under the lock
//     of its counter.
//   - A put and a reader hold a few MiB each, however large the blob, and together not
//     much more: see spareBuffers. The index of a blob that is being worked on takes 40
//     bytes a chunk, the table about 30.
//
// Locks are taken in this order: names, one shard of the table, mu.
// One process uses a folder at a time; the launcher's lock on the home sees to it.
package store
