// Package fetch brings a missing blob from all members that have some of it, at once.
//
// A [Fetcher] runs one transfer for each blob, whoever waits for it. The transfer asks
// every member that may have the blob what it has, and goes on listening: a member that
// fetches the blob itself tells of each chunk that it gets, and is asked for it a moment
// later. Who asks this node what it has is fetching, and is asked in return, so that
// fetchers know each other at once. The index comes first, from the first that answers;
// then chunks, in batches, two of them at a time from each member. The plan says which
// (type plan): from members that fetch, too, what the fewest have; from those that had
// all of it, what nobody else has or is about to have. So the one that a fresh blob
// comes from sends it about once, however many want it.
//
// Every chunk is checked as it lands, and the digest of the whole before the blob
// counts as here. What has landed stays, after kill -9, too: the next try goes on from
// there.
//
// A member fails in one of these ways. One that *lies* (chunks, an index or lines that
// are not what they should be) is named in the log and in the transfer's sources, counted,
// and not asked again during this fetch. One that *lacks* the blob is asked again after
// some seconds: it may get it. One that is *away* (no connection, no progress, an error
// of its own) is asked again sooner. One that is slow keeps its place, but what it is
// asked for is asked of a faster one as well. The fetch ends when nobody is left to ask,
// or when nothing has come from anybody for [Config.Patience].
//
// Indexes are equal where the same bytes were cut by the same rules. A member with
// another one than that begun with waits until nobody is left who goes by it.
//
// A blob of up to 64 MiB is a program, most likely, and comes packed. Chunks that stand
// side by side are asked for together then, and if an older version is here (type kin)
// they are packed beside what stands in their place there: what the two share is not
// sent, though no chunk is the same. Rates and progress count bytes of the blob, bounds
// and metrics those that were moved.
//
// Memory: a chunk for each batch on its way, and some 5 MiB where it is packed, of which [Parts].Downloads lets a few go at
// once, and some 60 bytes for each chunk of the blob. The goroutines of a transfer end
// with it, and it ends when its last caller gives up, who waits for that.
package fetch
