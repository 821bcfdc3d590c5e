// Package archive makes and reads zip archives of folders, for files that travel between
// machines that trust neither each other's clocks nor their file systems.
//
// What [Tree] and [Writer] make is a function of names, bytes and execute bits alone: names
// in order, one fixed time, two fixed modes, no platform, nothing compressed (the store cuts
// by content, finds again what it has, and packs what it sends; compression would hide that).
//
// What [Open] accepts has no surprises in it. The whole directory is checked before anything
// else is done, and each entry against the local header that stands before its bytes:
//   - names are relative, with slashes, UTF-8 in Unicode's normal form C, and mean a file below the folder on
//     every system: no "..", drives, control characters, names that Windows reserves;
//   - no two names are the same, also where case does not count, and no file is a folder of
//     another;
//   - there are files and folders and nothing else, neither links nor devices;
//   - counts, sizes and their sum are within limits, entries do not overlap each other or the
//     directory, and nothing stands between them;
//   - methods are store and deflate, nothing is encrypted.
//
// Sizes are promises that are kept: reading an entry ends with [ErrBad] where there is one
// byte more or less than its header says, or where its checksum is another. [Archive.Verify]
// finds that out before anything is written.
package archive
