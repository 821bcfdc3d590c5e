// Package folders gives programs what they mount: folders of the host that the node's
// settings allow, files that come with a version, work folders, and volumes.
//
// A [Set] is what one version of a workload has open. Of it each replica has the same
// folders, but for its work folders, which are its own: they are made when the replica
// begins and removed when it ends. What a process that was killed has left of them is
// removed when the next one begins.
package folders
