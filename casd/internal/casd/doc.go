// Package casd is the daemon that keeps blobs: it serves the store over HTTP on
// its Unix socket, brings missing blobs from peers, keeps those that the realm needs,
// lets go of others within a quota, mends what the disk has changed, and tells meshd
// what is here. Each of these is a package of its own; this one puts them together.
//
// Concurrency: requests run side by side and each holds at most a few chunks in
// memory, however large its blob. Nobody waits for announcements: they are sent
// by one goroutine, from a set.
//
// Failure: package store says what survives a crash. When meshd is away, puts and
// reads go on, announcements wait, and fetches wait as long as their callers do,
// at most [fetch.Config.Patience] without progress; what is collected follows from what
// meshd said last. A full disk, or store, refuses puts and fetches with status 507 once
// nothing is left that may go, and hurts nothing that has to stay.
package casd
