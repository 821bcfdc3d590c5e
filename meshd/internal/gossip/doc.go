// Package gossip spreads small messages to all members: gossipsub with settings
// chosen on purpose.
//
//   - Messages are signed by their author and checked (strict signing), so that a
//     message's author is the member that wrote it, whoever passed it on.
//   - Each topic has a check that runs before a message is passed on. What it
//     rejects lowers the score of who passed it on, down to being ignored
//     altogether; what it ignores (a duplicate, something old) goes no further and
//     costs nobody anything.
//   - A message is at most [api.MaxMessage] bytes.
//   - An author sends to all its neighbours (flood publishing), not only to those
//     of its mesh: intents are rare and should be everywhere in one hop or two.
//   - Many members behind one address are normal (a container host, an office), so
//     that addresses play no part in the score.
//   - The protocol ids carry the realm: members of two realms do not gossip.
package gossip
