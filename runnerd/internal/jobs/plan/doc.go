// Package plan says what this node is to do about jobs now, by what its
// [github.com/realm-mesh/realm/runnerd/internal/jobs/book] holds and by what it sees of
// the members. Nobody is in charge: each node plans for itself, from the same facts.
//
// Members that can execute a run are ranked for it by placement; the first that is up is
// its home, and claims it. Mistakes are possible only where views differ, and are made
// rare, then harmless:
//   - Who is first of all members that there are, up or not, claims a fresh run at once.
//     Everybody else, and everybody whose view is younger than [Settle], first asks others
//     (see [Claim]); they object with records that it lacks, or with a member that comes
//     before it and is up for them ([Planner.Answer]).
//   - A run whose member is away is taken over after [AwayFor], with the next epoch.
//   - Two that claim all the same are put in order by (epoch, peer), and all but the
//     highest stop: see package book. So there is one accepted result in the end.
//   - Of a strict run nobody takes over what has not been ended by its own member, and a
//     claim needs the votes of a majority of the electors, each of which gives one for
//     each (run, epoch): see package votes. So of each epoch there is one execution at
//     most, and the next begins when it has ended.
//
// A run waits at its home while that has no room; a member with room asks for it ([Take]).
// What a home has given away it does not begin itself for [GiveFor], in which the taker
// claims: so nothing is executed twice as long as nothing fails.
//
// Runs of recurring jobs come into being at their instants on every node alike, and end
// as others do. An instant that nobody has begun within [Grace], and that this node has
// not seen pass, was missed.
//
// A [Planner] has no clock and starts nothing; one goroutine owns it and its book. It is
// told what happens, and asked by [Planner.Plan] what to do, until Plan.Wake at the latest.
// A plan looks at runs that have changed and those whose time has come, not at all.
package plan
