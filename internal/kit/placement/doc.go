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
// each member acts on its own copy of the facts. These rules keep replicas alive
// while copies differ:
//   - As many members as replicas are asked for run it, the first that have not refused.
//   - A member further down, or one that is drained or not meant any more, goes on with
//     what runs until so many members above it do, and starts nothing.
//   - It stops only when that has been so for [Pause], which is longer than facts take to
//     get round twice. Else two members of which each holds the other to be the first
//     could stop both.
//   - A member changes from a version that runs to a new one only while few enough others
//     are on their way to it (see [api.Update]). One that has it ready passes those above
//     it that are not that far, after the same pause.
//   - Where a version has failed, that counts as on its way: a bad version stops where it
//     is tried first.
//
// So a replica ends after its successor is ready, and once facts have settled there
// are as many replicas as were asked for, or as fit. Where too few fit, what drained
// members run, or those that have refused the newest version, goes on. A member that
// the target does not name any more stops once all that fit run it; while nobody fits,
// it goes on, so that a wrong target takes nothing down.
//
// A member that is up may be without its runnerd, as it says itself: then nothing runs
// there, drained or not, and what its runnerd has said before is not true any more. It is
// ranked again as soon as it says that runnerd is back, which goes by its own rank at
// once: nobody is without a runnerd in its own eyes. Where all are, everything is pending.
//
// What is not promised: facts about a member are wrong for as long as its loss is not
// noticed. A replica that was given up in that time for one that is lost is started
// again when the loss is noticed. With order stop-first, at most as many replicas as
// [api.Update] allows are stopped at once for a new version, as long as rankings do not
// change within the time that facts take; on both sides of a partition each side counts
// for itself.
//
// Callers hand in only what counts: nothing of members that are not up, or whose runnerd
// is down, and Good for nobody but self who is not live right now, since what is stopped in favour of
// another should be there.
package placement
