// Package catchup is how members bring each other up to date, point to point: the
// sync service. Gossip is fast but tells nobody who is away, and loses what comes
// too thick; whoever comes back, meets somebody new, or may have missed something,
// asks.
//
// It speaks HTTP over a libp2p stream. What two members hold is compared by a
// digest for each of [api.SyncBuckets] parts, which is one round trip when it is
// the same. Of the parts that differ the entries are listed, and what would be news
// is fetched by digest in large batches, checked on all cores and accepted with one
// wait for the disk (package intents): the other side is not trusted to have
// checked, only to deliver. What was refused is not fetched from the same member
// again until somebody's say has changed. A member asks for the other's facts and
// for the members that it is connected to at the same time.
//
// Both sides of a new connection ask at once. Besides, every [Interval], and soon
// after something was heard by gossip, a member asks one of its neighbours, taken
// at random, so that nothing depends on luck.
//
// A node that has never asked anybody believes nobody alone: it gathers what the
// first three members hold, fewer where there are fewer, and takes it all at once.
// One member that hides something, or serves it from long ago, is outvoted by the
// others: what is newer wins.
package catchup
