// Package mount shows a folder of the host to programs that speak WASI, and nothing
// beside it.
//
// Every path that a guest gives is resolved by [os.Root], one component after the
// other and relative to what was reached before, so that neither "..", nor an
// absolute path, nor a link leads out of the folder, however quickly somebody
// renames what is on the way. A link within the folder may have any relative
// target, as on any system; one that leads out is refused (EPERM) when it is
// followed. Who walks the folder on the host meets the same links unguarded, and
// should trust them as little as the guest.
//
// Files and folders are opened, nothing else: a guest that opens a FIFO, a socket or
// a device gets ENOTSUP and never waits. A folder that is mounted for reading
// answers EROFS to whatever would change it.
//
// A [Folder] is opened once and may be shown to many guests at once; each of them
// has a [View] of its own, which knows its open files.
//
// A folder may be bounded by a [Quota], which several folders can share: what grows is
// counted before it happens, and refused with ENOSPC where there is no room; of a write,
// what fits is written. A file there that is opened with O_TRUNC must be opened for writing,
// too (else EINVAL).
//
// [Memory] makes a read-only folder of files that are on no disk, and gone when it is closed.
//
// WASI as wazero speaks it has no number for some errors. Too many open files (EMFILE)
// are EAGAIN, a rename from one file system to another (EXDEV) is ENOTSUP. A full disk
// ([ENOSPC]) and a file that is too large ([EFBIG]) have numbers of this package's own,
// which package wasi knows, and which package engine gives to guests of WASI 0.1 by the
// view's [Outcome]; so it does for a write of which a part was done: the guest is told how
// much, and gets the error from its next.
package mount
