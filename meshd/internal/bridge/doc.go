// Package bridge joins the streams of the mesh to the sockets of this node's
// daemons.
//
// Inbound, a peer may ask for what the allow-list of a service names and for
// nothing else that the daemon behind it offers. Outbound, daemons reach a
// peer's service under /peers/{peer}/{service}/… on meshd's socket.
//
// Bodies stream both ways at once, in constant memory. Hop-by-hop headers end
// here, and so do the headers with which this node's daemons trust each other:
// the home's token, and the name of the calling peer, which only the side that
// has authenticated the peer may set.
package bridge
