// Package unpack has the files that programs are shown: archives of the store, unpacked
// into folders named by the archives' digests.
//
// A folder appears whole, by being renamed, and nothing in it changes after that; so a
// program sees the files of its version from its first moment to its last, whatever version
// comes next. Folders are shared by all that ask for the same archive. Those that nobody
// has are kept for a while, the latest few, for a rollback or a restart.
package unpack
