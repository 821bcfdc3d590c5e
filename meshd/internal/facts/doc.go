// Package facts merges what members say of themselves and of their workloads.
//
// Each member speaks for itself alone: a fact counts only when its author is the
// peer that it names. What a member says is ordered by (epoch, sequence); batches
// overtake each other on their way, and an older one counts for what no newer one has
// spoken of. A full batch replaces all that was known of its author, so that a lost
// message is mended by the next refresh.
//
// The table is level-triggered. It keeps what should stand in the buckets of this
// node and marks keys whose entry has changed; the writer takes the current
// entries of those keys, as often as it likes, and may mark all when the buckets
// were emptied behind its back. The same goes for what is to be gossiped.
//
// While its runnerd is down, a node tells nothing of workloads: what was said of them is
// not so any more, and who said it is not there to take it back.
//
// When a member is gone its workloads are forgotten at once; the member itself
// stays known, as not connected. Members that are heard of only through others (in a
// large mesh most are no neighbours) are forgotten when a neighbour of theirs says that
// it has lost them and they do not refute it within [Refute], or when this node has lost
// its last neighbour; and, whatever else went wrong, when nothing has been heard for
// [Silence].
package facts
