// Package casd is the daemon that keeps blobs: it serves the store over HTTP on
// its Unix socket, brings missing blobs from peers, and tells meshd what is here.
//
// Concurrency: requests run side by side and each holds at most a few chunks in
// memory, however large its blob. Nobody waits for announcements: they are sent
// by one goroutine, from a set.
//
// Failure: package store says what survives a crash. When meshd is away, puts and
// reads go on, announcements wait, and fetches wait as long as their callers do,
// at most [fetch.Config.Patience] without progress. A full disk refuses puts and
// fetches with status 507 and hurts nothing that is here.
package casd
