// Package route knows which members answer for which workload, and in which
// order they are asked: this node first, then the connected member with the
// lowest round-trip time, the near-equal ones in turn.
//
// A [Book] takes facts and peer records as they come and binds them into a
// [Table], which never changes; [Live] holds the current one. Nothing in here
// knows of the bus or of HTTP, and nothing blocks.
package route
