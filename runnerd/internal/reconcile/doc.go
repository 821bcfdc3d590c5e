// Package reconcile concludes what this node owes each workload, and has it brought
// about.
//
// It knows what is wanted (package wanted), who is a member and up, and what every
// member says of its replicas, its own included. Of that [placement.PlaceAll] makes
// rankings and [placement.Decide] a verdict for each workload, which becomes a
// [workload.Want] whenever it is another one than before. Nobody is asked: a node
// that is alone, or whose meshd is down, decides by what it knows.
//
// Invariants:
//   - Nothing is decided before intents, records and facts have each been seen whole
//     once. What was kept on disk counts as running here until the node's own facts
//     tell, so that a start gives up no replica.
//   - A member is up while its record says that it is live, and for [Grace] after;
//     at the start everybody counts as live a moment ago. This node is always up. No
//     replica ends for one of a member that is not live, and none is started while a
//     member may be up of which nothing at all is known.
//   - What a member has said of its replicas does not count while it says that its runnerd
//     is down, and what it takes back then is forgotten at once. This node's own runnerd is
//     never down here, whatever meshd has not noticed yet.
//   - What the bucket of facts has lost counts for [Grace] more: a bus or a meshd that
//     starts again has nothing for a moment.
//   - What others may not have said yet is waited for: see [placement.Patience].
//   - Facts change one workload each, and members all; changes are collected for a
//     moment, and looked at together.
//
// The package knows nothing of the bus. [Reconciler.Run] is its one goroutine.
package reconcile
