// Package forward sends a request to a member that runs the workload it is for,
// and to another one when the first did not take it.
//
// # When a request is sent again
//
// A program must not run twice because a connection broke. A request goes to
// another member only while its body can still be given in full (at most
// [MaxReplay] bytes of it have been read), and
//
//   - when it was certainly not taken: the socket could not be dialled, or the
//     answer carries [api.HeaderNotAccepted]; or
//   - a few times, when the connection broke before an answer, and the request says that
//     twice has the effect of once: by an idempotent method, or by Idempotency-Key.
//
// After the first byte of an answer nothing is sent again. What broke with the
// request in hand is an [*InterruptedError].
//
// # Waiting
//
// While nobody takes it, a request waits for up to [Patience]: for another table,
// for a program that a member is said to have and has not loaded yet, or for a socket to
// come back, which makes no event and is tried again after a
// growing pause. A daemon that restarts is back well within that.
package forward
