// Package claim gives a node without an owner to the person who reads its pairing
// code ("realm up --tofu"), and takes such a node for them ("realm claim").
//
// The parties are a node that follows nobody, whoever can read what it prints, and a
// member of the realm that it shall join. The node draws a code, and for some time
// lets anybody connect, for the protocol [api.ProtocolClaim] alone. Who sends the code
// says whom to follow, and shows signed intents that make the node a member there. The
// node keeps that, once: the file of the pin is made, or it is there already.
//
// What protects it: the code (49 bits from crypto/rand, [MaxWrong] guesses for all
// together), the time, and that libp2p's handshake proves that the peer id in the
// address is at the other end, so that nobody in between reads the code. Who guesses
// wrong on purpose can end the pairing, but not win it. It does not protect from who
// reads the node's screen first.
package claim
