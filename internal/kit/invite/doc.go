// Package invite writes and reads the tokens by which nodes become members.
//
// A token is one word to paste: the private key of an invite, what the owner has
// signed of it ([api.Invite]: until when, for how many, with which roles), and where
// members are reached. Whoever has the token can make nodes members while the
// invite is good, and nothing else; a member checks the invite by its own clock when
// the node comes (package ledger, Admit).
//
// Text form: "realm1", then base64url without padding of a 4-byte checksum and the
// deflated JSON of the rest. The checksum (the first bytes of a SHA-256) finds a
// token that was not copied whole; it protects from nobody.
package invite
