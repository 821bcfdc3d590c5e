// Package owner is the person behind a realm: the key in their account, and the
// next intent that they sign with it.
//
// The key never goes to a node. A command reads what the sequence of a workload
// has come to, makes the version after it ([Key.Push], [Key.Stop] …) and hands
// the signed envelope to the node, which knows only the public half.
package owner
