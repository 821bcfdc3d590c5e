// Package node is the command line's side of a node that is up: it reaches the
// node's bus and its daemons' sockets through the home, as the user "cli".
//
// Any daemon may be down for a moment at any time. What can be asked twice is
// asked again until the caller's context ends; what cannot, fails with an error
// that says which part did not answer. Every call needs a context that ends.
package node
