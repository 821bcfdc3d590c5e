// Package wasi is what WASI 0.2 gives to components, as Go functions over the values of
// package wit. It knows nothing of components: whoever links them looks up [Functions]
// and [Resources] by name, and finds the types of all of them in [Types].
//
// A [Guest] is the state of one instance: a table of what it holds of the host, by rep.
// It is used by one goroutine at a time. Beside it run goroutines of the host that move
// bodies and wait for answers; they touch the guest only through pipes and futures,
// which have locks of their own, and wake it when something has changed.
//
//   - Functions never wait, but for those that are there to wait. These do so through
//     [Env.Idle], and end when their context does, with its error.
//   - A result that is an error of WASI is a value. An error that a function returns
//     ends the guest: a [Trap] for what the specification forbids, an [ErrExit], what
//     [Env.Work] returned, or that of the context.
//   - Everything a guest can make more of is counted: see [Limits]. No call takes or
//     makes more than a bounded number of bytes, whatever the guest asks for, and all of
//     them are charged through [Env.Work].
//   - Pipes hold a bounded number of bytes. Who fills them faster than the other side
//     takes them waits, or is told that there is no room.
//   - [Guest.Close] releases files, bodies, requests under way and goroutines, and
//     returns when they are gone.
//
// Guests see the folders, the arguments and the streams of their [Env], and no other
// thing of the host. They have no sockets; requests go through [Env.Sender], if there is
// one. What they are refused they are told in the words of WASI.
package wasi
