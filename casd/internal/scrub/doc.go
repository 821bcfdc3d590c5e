// Package scrub looks for bytes that the disk has changed, before somebody needs them,
// and has them brought again from other members.
//
// In the background it re-reads every chunk, in the order of their digests, at a pace at
// which the whole store takes [Config.Period], never faster than [Config.Rate], and
// with idle priority for the disk where the OS knows that. Where it stands is kept in a
// file, so that restarts go on. [Scrubber.Verify] does the same at once, at full speed,
// one caller after the other.
//
// The store takes a chunk that fails its check out of use: its blobs count as missing
// from then on, and no wrong byte leaves. Who reads one before the scrub does has the
// same done ([Scrubber.Met]). What is wanted of them is fetched again at
// once, and every [Config.Retry] as long as no member can give it: what the realm
// needs, what is pinned here, also if its index is gone, and what was used lately.
// The rest waits until somebody asks for it or it is collected.
package scrub
