// Package wire refuses requests of HTTP/1 of which two programs could see different
// ends ("request smuggling", RFC 9112, section 11.2).
//
// A balancer in front of the gateway that takes another byte for the end of a
// request than the gateway does lets a stranger put a request of his own in front
// of somebody else's. net/http reads some such shapes as well as it can: both
// Content-Length and Transfer-Encoding, Transfer-Encoding in HTTP/1.0, lines that
// end with a bare LF, folded lines, one Content-Length twice. By the time that a
// handler runs nothing of it is to be seen any more. Hence a [Listener] reads along
// under net/http: it checks each head, follows the body to where the
// next head begins, and answers what is wrong with 400 (501 for a coding, 505 for a
// version that is not known) and the end of the connection.
//
// # Invariants
//
//   - Bytes are passed on as they come, and none is held back that is right so far.
//     All time-outs and limits of net/http count as without it.
//   - The end of a head or of a line of a chunked body is passed on only when all
//     of it has been found right. What net/http acts on has been checked.
//   - Where both accept a request, both see its body end at the same byte (a fuzz
//     test holds one against the other).
//   - A body costs a subtraction for each read, and a chunked one the reading of its
//     lines besides; no byte of its data is looked at.
//
// It steps aside for good when a connection begins with the preface of HTTP/2, and
// when the server gives one away ([State]): what an upgrade leads to is no HTTP.
//
// # TLS
//
// It reads plain text. net/http looks for a *tls.Conn to choose a protocol by, so
// that a Listener cannot stand above one either: who listens with TLS has to shake
// hands first, and to give on what is HTTP/2 as it is (package server does).
package wire
