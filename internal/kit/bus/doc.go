// Package bus is how a daemon speaks with the others of its node: requests,
// subscriptions and key-value buckets on the NATS server that realm up embeds,
// reached over a Unix socket in the home with a key of the daemon's own.
//
// What NATS leaves to time-outs is an error at once here: a request in flight
// fails when the connection breaks ([ErrDisconnected]) or the right is missing
// ([ErrForbidden]), and the caller decides whether to ask again. Watches resume
// by themselves. Messages are capped at [api.MaxMessage], keys at [MaxKey].
//
// The rights of a daemon guard against mistakes. They are no authority: that
// comes from the owner's signatures.
package bus
