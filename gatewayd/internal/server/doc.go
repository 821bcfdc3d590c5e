// Package server has the listeners of the gateway: what stands between a stranger's bytes
// and a handler.
//
// A [Server] speaks HTTP/1.1 and HTTP/2, each with TLS and without. It bounds heads, and
// how long they and pauses between requests may take; how many connections there are, in all
// and of one address ([Limits]); and it refuses what package wire finds wrong. Bodies are
// watched over by who reads them.
package server
