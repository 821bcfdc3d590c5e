// Package outgoing sends the requests of guests to where they were granted, and nowhere
// else.
//
// A grant is
//
//	[scheme://]host[:port][=private]
//
// Its host is a name (example.org), all names below one (*.example.org), any host (*), an
// address (192.0.2.1, [2001:db8::1]) or a range of addresses (10.0.0.0/8). Without a scheme
// it is of http and https, without a port of the scheme's own port; the port * is any.
//
// Addresses that are not of the public internet (loopback, private networks, link-local,
// carrier-grade NAT, multicast and whatever else is set aside) are reached only by who
// was granted them:
//
//   - an address or a range grants requests that have such an address for their host, of
//     whatever kind it is, but for multicast;
//   - a name, or *, leads to public addresses. With =private it may also lead to loopback,
//     private networks and carrier-grade NAT, never to others. The name localhost is
//     always private.
//
// What counts is the address that is connected to, at the moment of connecting: it does
// not matter what a name meant before, or means to somebody else.
//
// Requests are sent as they are. No redirect is followed: the guest sees it, and has to be
// granted where it leads. No proxy of the environment is used, no cookie is kept.
// Connections are used again within one [Sender], so each set of grants has its own.
package outgoing
