// Package gatewayd wires the daemon that programs are reached through.
//
// # Role
//
// It listens on two addresses. On the public one it answers POST /exec and
// /NAME/… by handing each request to runnerd on this node or, through meshd, on
// another (packages public, forward, route). On the management one, which is
// loopback only, it shows metrics, logs, events and health (package manage),
// and all of how a node stands as JSON (package apiv1). The public
// handler stands on the daemon's socket, too, for the command line.
//
// # Concurrency
//
// Two watches of the bus fill a [route.Book]; one goroutine binds it into a table
// whenever something has changed, so that a burst of changes costs one table.
// Requests read the current table without a lock.
//
// # Failure
//
// It keeps nothing on disk. While the bus is away the last table goes on to count;
// while runnerd restarts, requests go to other members or wait for a moment. A
// listening address that cannot be had is a setting to mend ([config.ErrInvalid]).
package gatewayd
