// Package sse answers with events that go on, as browsers' EventSource and curl -N read
// them (text/event-stream).
//
// A [Hub] bounds how many streams there are and ends them all when the daemon stops. A
// [Stream] has a queue between whoever makes events, who must never wait, and the client,
// who may be slow: when the queue is full the client is dropped, with an event that says
// so. Every write has a deadline, so that a client who takes nothing holds no place.
//
// Streams end with one of two events of the package's own, whose data is an object with
// the member "why": "dropped" and "end". A client that reads neither has lost its
// connection.
package sse
