// Package fetch brings a missing blob from the members that have it.
//
// One provider is read at a time: its index first, then the chunks that are not
// here, a few side by side, each checked as it lands. What has landed stays, so
// that the next provider, or the next try after a crash, goes on from there. The
// digest of the whole is checked before the blob counts as here.
//
// A provider fails in one of two ways. One that *lies* (bytes or an index that
// are not what they should be) or lacks the blob is not asked again during this
// fetch, and a liar is named in the log. One that is *away* (no connection, no
// progress, an error of its own) is asked again, until nothing has come from
// anybody for [Config.Patience] or the caller gives up.
//
// Calls for the same blob share one fetch. It runs in the goroutine of the first
// caller; when that one gives up, the next goes on. Nothing runs in the
// background.
package fetch
