// Package wire reads and writes what members tell each other of blobs beside JSON
// documents: the chunks of [api.RouteChunks], each after its length, and the lines of
// [api.RouteBlobHave]. The chunks may be packed by zstd, also beside history: bytes that
// both sides have.
//
// Readers trust nothing: every length is known before it is read, and what breaks the
// rules is [ErrBroken], which tells a member that lies from a connection that was cut.
package wire

import "errors"

// ErrBroken says that the other side does not keep to the rules.
var ErrBroken = errors.New("sent what it should not")
