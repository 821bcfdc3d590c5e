// Package p2p makes the libp2p host of a node: QUIC v1 and TCP on one kept port,
// every limit set on purpose, and nothing switched on that this version does not
// promise (no relay, no AutoNAT, no metrics of libp2p's own).
//
// A host is made silent and deaf. Handlers are registered on it first and [Listen]
// opens the port afterwards, so that whoever connects is told the whole truth by
// identify: a peer that does not speak the realm's protocols is taken for a
// stranger and cut off (package neighbours).
//
// What identify tells: the user agent "realm/VERSION", the realm's protocols, and
// one protocol per role of the node ([RoleProtocol]) on which nothing is spoken.
package p2p
