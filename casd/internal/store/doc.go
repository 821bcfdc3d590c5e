// Package store keeps blobs in a folder, as chunks that are each stored once.
//
// A blob is named by the SHA-256 of its bytes and cut into chunks of 1 MiB,
// each named by its own SHA-256. An index lists the chunks of a blob in order:
//
//	chunks/ab/abcd…      the bytes of a chunk
//	blobs/ab/abcd….json  index of a blob that is here, whole
//	blobs/ab/abcd….part  index of a blob that lacks chunks; fetching goes on from here
//	corrupt/…            what failed its check, kept for a look until it is mended
//	tmp/                 what is being written; emptied at start
//
// Invariants:
//   - A file under chunks or blobs has its final content from the moment that its
//     name appears: it is written under tmp, synced, then renamed.
//   - A blob is acknowledged (Put or Complete returns) only once its chunks, its
//     index and the folders that hold them are synced.
//   - Bytes leave the store only after their chunk's digest was checked. A chunk
//     that fails is moved to corrupt and every index that lists it becomes .part,
//     so that the blob counts as missing until it is put or fetched again.
//   - A put holds at most putChunks+1 chunks in memory, a reader one.
//
// The store keeps no record of references in memory: what needs them reads the
// indexes, which only the rare paths do (start, damage, a fetch given up).
// One process uses a folder at a time; the launcher's lock on the home sees to it.
package store
