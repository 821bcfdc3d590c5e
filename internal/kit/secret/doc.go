// Package secret seals values for members of a realm, and opens them.
//
// Parties and keys. Who sets a secret makes a key pair for this one version (age, X25519).
// The value is sealed to its public half, together with the realm and the name that it is
// for; its private half is sealed to the node key of each member that the secret's target
// matches then (age's recipients of ssh-ed25519 keys: a peer id holds the public key, so
// that nobody has to be asked or believed). All that is one signed intent. A member that
// comes later gets the private half from one that has it, sealed to its own key in turn.
//
// What holds:
//   - Who has the intent and no key of a member that was meant reads nothing of the value but
//     its length.
//   - What is sealed for one name is of no use under another: a granted key that copies the
//     body of somebody else's secret into one of its own gets a secret that nobody opens, and
//     nobody passes its private half on, since who is asked to opens the value first.
//   - Who passes on a private half cannot pass on another: it has to belong to the public half
//     that is signed. Who is asked for one gives it only where the asking member is meant.
//
// What does not: a member that could read a version can keep it for ever, whatever is revoked
// later; that is why revoking says what was exposed. A member that was not meant gets a value
// from one that lies for it. Sealing is not kept from quantum computers, as the connections
// between members are not.
package secret
