// Package admit decides whether this node has what a workload needs: memory for one
// more command, and the folders that it mounts.
//
// The memory caps of all commands here together stay within what the node declares
// ([api.Capacity]). Functions and web programs do not count: they hold memory only
// while a call is on its way.
//
// A folder of the host is mounted only if it lies below one that the node's settings
// name. Links on the way to it are followed once, here; what they lead to decides. The
// folder is opened in the same step and kept open, so that what a guest gets is what
// was looked at. Nothing is mounted that holds what is the node's own (its keys, its
// tokens, its sockets), the key of the owner, or what the system shows of processes and
// devices, by whatever name it is reached.
//
// Whatever is refused is refused by this node alone. The errors say so, and what to do.
package admit
