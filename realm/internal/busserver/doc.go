// Package busserver is the bus of a node: a NATS server with JetStream inside the
// launcher's process. It listens on no port; every connection to the Unix socket
// of the home is copied to an in-process connection of the server.
//
// Each daemon, the launcher and the command line log in with an nkey of their own,
// kept in the home so that clients survive a new launcher, and have the rights of
// the table in rights.go and no others. All of them share one account, so the rights
// guard against mistakes and no more: whoever may read a bucket can name any subject
// as the place for the answer, and the server will write there. Authority comes from
// the owner's signatures, and what a node trusts lies in files, not on the bus.
//
// Buckets: intents on disk, synced at every write, or once for many that are written
// as one ([bus.Bucket.Apply]); peers and workloads in memory.
// After a restart of the server, watchers begin again with a reset, and those who
// write the buckets in memory fill them again.
//
// When the disk is full a stream stops answering for good. [Server] looks for that
// and starts the server anew when there is room again; clients reconnect by themselves.
package busserver
