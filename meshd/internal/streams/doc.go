// Package streams carries HTTP/1.1 over libp2p streams: a server per service on
// one side, an [http.Transport] per service on the other, whose URLs name the
// peer as their host ("http://12D3KooW…/path").
//
// Streams are kept and reused between requests. One peer may have so many open at
// once as the resource manager allows it (p2p.StreamCap); a transport opens no
// more than that and lets further requests wait, so that only a peer which does
// not keep to the rule sees streams refused.
//
// A dead peer ends its streams when its connection is closed, which package
// neighbours does after seconds of silence. That bounds every request; services
// whose answers come fast have a time-out for response headers besides.
package streams
