// Package client brings up a node for the time of one command, on a machine where
// none is up: in a home of its own, which is removed at the end, with the daemons
// that a command speaks to, as a client of the realm. A client is let in for some
// hours by a membership that the person's key signs; it runs nothing, others keep no
// trace of it, and nothing has to be revoked afterwards.
//
// A home whose process was killed is removed by the next command of the same user.
package client
