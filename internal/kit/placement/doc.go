// Package placement decides where replicas run, without a coordinator.
//
// [PlaceAll] ranks the members that may run each workload. It is a function of slow
// facts alone (which workloads there are, who is a member and up, with which roles,
// platform, capacity and settings), so that every member that knows the same facts
// computes the same rankings. At its heart is [Place], weighted rendezvous hashing
// (D. Thaler and C. Ravishankar, "Using name-based mappings to increase hit rates",
// 1998) with the declared processors as weights: when a member comes or goes, only
// replicas of that member move. Chance spreads them, though, and of ten members one
// would often run a quarter more than its share; so PlaceAll changes the few rankings
// that even out the worst (docs/adr/0010).
//
// [Decide] says what one member owes one workload, by the ranking and by what the
// members tell of their replicas. Nobody is asked and nobody waits for an answer:
// each member acts on its own copy of the facts. Three rules keep replicas alive
// while copies differ:
//   - the first replicas members that have not refused run it;
//   - a member further down that still runs it goes on until so many members above it
//     do, and does not start it;
//   - a member changes from a version that runs to a new one only while few enough
//     members above it are on their way to it (see [api.Update]).
//
// So a replica ends after its successor is ready, a bad version stops where it is
// tried first, and once facts have settled there are as many replicas as were asked
// for, or as fit.
package placement
