// Package keep sees to it that the blobs which the realm needs are on several members.
//
// What the realm needs is what meshd lists ([api.RouteReferences]): it follows from the
// signed intents. Who keeps a blob follows from that and from who is there: the first
// [api.Copies] members, or as many as the references say, by rendezvous hashing of (blob, member). Each node computes that
// by itself and fetches what it has to keep and lacks; nobody is asked, nobody holds
// lists of who has what, and members that see the same facts agree. Where they do not
// for a while there is a copy too many, which does no harm.
//
// A member can keep blobs while it is live, its casd is not down, its store is not full,
// the owner has not drained it, and it is more than a command line. One that is not
// live, or without its casd, stays a keeper for [Config.Patience], so that a restart
// moves nothing; then the next in rank takes over. Members that counted when this
// process last ran count for as long, too: after a restart of the whole node it takes a
// while until everybody is heard of.
//
// What is known of the realm's needs is written to a file, so that a node which starts
// without its meshd protects the same as before.
//
// # What may be removed
//
// The collector asks here. A blob that the realm needs stays while this node is one of
// its keepers, would be one if its store were not full, or runs a program of it. Any
// other may go, but only once as many other members have vouched for it
// ([Keeper.ConfirmElsewhere]): each has said, when asked, that it has the blob whole and
// that it is one of the keepers in its own eyes ([api.HeaderKeeper]). Who vouches has no
// removal under way, and begins none before it has ceased to be a keeper; who removes
// does not vouch. So of all that remove a blob the one that has begun last had the word
// of members that have not removed it, whatever each of them believes of the others.
//
// # Concurrency
//
// One goroutine each follows meshd's list, the members, and what runs here. They change
// the state, under one lock, and wake the one that repairs, which alone starts fetches,
// a few side by side. One more asks gently, now and then, whether the other keepers of
// what is kept here have it, for people who want to know.
package keep
