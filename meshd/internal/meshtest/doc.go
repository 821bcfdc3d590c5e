// Package meshtest gives tests of other packages a realm with an owner, and real
// members in it: keys, signed intents, proofs, and libp2p hosts that let members in
// and nobody else.
//
//	r := meshtest.NewRealm(t)
//	a, b := r.Host(t), r.Host(t) // two members that accept each other
//	s := r.Component(t, "web", 1) // an intent of the owner's
package meshtest
