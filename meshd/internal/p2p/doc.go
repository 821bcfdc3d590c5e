// Package p2p makes the libp2p host of a node, which has connections to members of
// its realm only: QUIC v1 and TCP on one kept port, every limit set on purpose, and
// nothing switched on that this version does not promise (no relay service, no hole
// punching, no AutoNAT, no metrics of libp2p's own).
//
// # Who gets in
//
// Every node shows a proof in the TLS certificate of each connection, beside an
// [InstanceID]. What proofs are is the business of [Config.Judge], which is asked in
// the handshake, in both directions, and tells a [Member] from a [Guest] and a
// [Stranger]. A stranger gets no connection: there is nothing to close when gossip,
// the DHT or a stream is faster than a check could be. On QUIC libp2p's connection
// gater asks, on TCP and relayed connections a security protocol of our own, which is
// the only one spoken. What came past neither is refused before it is used.
//
// A guest can speak [Config.GuestProtocols] and nothing else, in both directions: the
// resource manager refuses all other protocols when they are set on a stream, which
// libp2p does before any handler runs. A guest can find out by trying that this node
// knows a protocol's name; identify, ping, gossip and the DHT tell it nothing. It is
// closed after 15 s, and few guests are here at once.
//
// A relay sees only ciphertext, but it is dialled like every peer: it must be a member
// itself. Nodes offer no relay; one that is made for it can be dialled through, by
// /…/p2p/RELAY/p2p-circuit/p2p/PEER, and both ends judge each other as always.
//
// # Load
//
// Handshakes are bounded in number, in number and rate for each address, in bytes and
// in time, before anything is known of who makes them. QUIC clients must prove their
// address once many handshakes are under way. Proofs of up to 2 KiB fit into the
// first flight of a QUIC server; larger ones cost a round trip more.
//
// # Order
//
// A host is made silent and deaf. Handlers are registered on it first and [Listen]
// opens the port afterwards, so that whoever connects is told the whole truth by
// identify: the user agent "realm/VERSION", the realm's protocols, and one protocol
// per role of the node ([RoleProtocol]) on which nothing is spoken.
package p2p
