// Package feed keeps the news of a node: what runnerd tells of programs, and what follows
// from changes of the buckets about members and jobs.
//
// A [Feed] numbers what happens, keeps the latest [MaxKept] of it, and hands it to who has
// joined, without ever waiting for them. What the buckets hold when the feed begins is no
// news; what has changed while the bus was away is, and a notice of the type incomplete
// says that other things may be missing. Notices live in memory: a new gateway begins anew,
// and who asks it to go on from an older one's notice is told so.
package feed
