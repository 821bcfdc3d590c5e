// Package secrets gives programs the secrets that the owner means for them here, and other
// members the keys to them.
//
// A node may read a secret that is meant for it: the target of the secret's newest version
// matches it, as its roles are signed. It has the key of that version if it was sealed to it
// when it was signed, or if a member that has it has passed it on ([api.RouteSecretKey]);
// what was passed on is kept as it came, sealed to the node's own key. Values are in memory
// only, and only while a program has them.
//
// A program gets a secret if who signed the component may: the owner may give any, a granted
// key only those that it may set itself. So a key that is for pushing alone reaches no secret
// by naming it.
//
// Who asks for a key is checked as the node itself is: it has to be a member now, not a
// client, none whose key is used by several nodes, and meant by the target. The value is
// opened before the key is given, so that nobody is led to pass on a key that is for
// another secret.
package secrets
