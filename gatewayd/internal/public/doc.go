// Package public is what programs on the mesh look like from outside:
//
//	GET  /               what runs here, for people
//	POST /exec           one call of a function ([api.ExecRequest] -> [api.CallReply])
//	GET  /functions      which functions there are ([api.FunctionsReply])
//	GET  /peers          who the members are ([api.PeersReply])
//	ANY  /NAME/...       a component that speaks HTTP
//
// The same handler stands behind the public listener and on gatewayd's socket.
// Only the former checks the Host header (package hostcheck).
//
// # What a client may not do
//
// It cannot make a browser of this machine call functions from a foreign page:
// /exec takes JSON only, and no other origin. It cannot tell a program that it is
// somebody else: forwarding headers, and names that CGI folds into them, are
// dropped. It cannot hold a slot by doing nothing: a connection that moves no byte
// for [Stall] is cut. Calls at once, and sizes, are bounded.
package public
