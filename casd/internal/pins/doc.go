// Package pins remembers which blobs a person has asked this node to keep.
//
// A pin is an empty file, named by the digest of its blob, in a folder. It is
// durable when [Pins.Add] returns, and gone for good when [Pins.Remove] does; after
// a crash in between it is one or the other. Whether the blob is here is not looked
// at: who pins makes sure that it stays meanwhile.
package pins
