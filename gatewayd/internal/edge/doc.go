// Package edge is the public face of a realm: what people who are no members reach, on a
// member that has the role edge.
//
// It is restricted by omission: its handler knows of components that the owner has signed
// as public, and of nothing else. Functions, services, pages of the node's own and
// components that are local are not refused there, they do not exist: whoever asks gets
// the answer of a path that nobody has ever used, to the byte.
//
// Who is public, and whether this node is an edge, follows from signed intents that
// gatewayd checks itself (package wanted). What others say on the bus decides only which
// member a request goes to.
//
// The listeners are open while the node has the role and something is public. When either
// ends they are closed, requests in flight finish, and nothing answers on the ports.
package edge
