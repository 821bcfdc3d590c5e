// Package api is everything that two processes of Realm must agree on: names of
// subjects, topics, routes and buckets, the messages that travel under them, and
// the identifiers inside those messages. It imports the standard library alone,
// holds no behaviour beyond parsing and validation, and is the only package that
// all daemons share with each other's wire.
//
// Every message type has a Validate method, and every decoder goes through
// [Decode], which refuses unknown fields, trailing bytes and anything larger
// than the cap it is given. A literal that names a place on the wire is written
// once, here; TestPlaces prints the whole table.
//
// History of the wire, newest last:
//
//	2026-11-22  version 1: intents, facts, sync, blobs, calls
//	2026-11-22  intents by several keys: rotate, settle, grant, invite, member, with
//	            the grant and the witness in the envelope; sync compares digests of
//	            parts, names signers and fetches by digest; services enroll and claim;
//	            the intents bucket holds a value for each signer
//	2026-11-22  desired state: components have replicas, mounts, ports, health, updates,
//	            routes and a source; manifest and node intents; members tell their
//	            capacity; states prepared, unhealthy and refused; batches of intents,
//	            explain, accounts of workloads (service node) and events
//	2026-11-22  members tell which of their daemons are down
//	2026-11-22  the store: pins, references, copies and keepers, have-streams, chunks in
//	            batches, collection and verification; members tell that their store is full
//	2026-11-22  casd stores and writes files whose descriptors come with a request
//	2026-11-23  jobs: intents of kind job, records of executions (bucket jobs, topic job,
//	            POST /records), service job, and what members' policies let jobs do
//	2026-11-23  mounts have kinds (static, config, work, state) with files, sizes and
//	            volumes; secret and volume intents; components are given secrets and may
//	            come from packages; members tell which volumes they hold
package api
