package streams

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// ErrUnreachable says that there is no connection to a peer and none can be made.
var ErrUnreachable = errors.New("this member cannot be reached now: see realm peers")

const (
	dialTimeout = 2 * time.Second // stream, and connection where there is none
	idlePerPeer = 64              // kept streams of one service: as many as there are often at once
	idleTimeout = 60 * time.Second
	bufferSize  = 32 << 10
)

// NewTransport makes the client side of a service. headers bounds the wait for
// response headers; 0 is no bound.
func NewTransport(h host.Host, realm api.RealmID, s api.Service, headers time.Duration) *http.Transport {
	t := NewTransportOn(h, protocol.ID(api.Protocol(realm, s)), headers)
	t.MaxConnsPerHost = p2p.StreamCap(s)
	return t
}

// NewTransportOn is [NewTransport] for a protocol that belongs to no realm.
func NewTransportOn(h host.Host, id protocol.ID, headers time.Duration) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) {
			return dial(ctx, h, id, addr)
		},
		MaxConnsPerHost:       p2p.StreamsSync,
		MaxIdleConnsPerHost:   idlePerPeer,
		IdleConnTimeout:       idleTimeout,
		ResponseHeaderTimeout: headers,
		DisableCompression:    true,
		ReadBufferSize:        bufferSize,
		WriteBufferSize:       bufferSize,
	}
}

func dial(ctx context.Context, h host.Host, id protocol.ID, addr string) (net.Conn, error) {
	name, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	p, err := peer.Decode(name)
	if err != nil {
		return nil, fmt.Errorf("peer %.80q: %w", name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	s, err := h.NewStream(ctx, p, id)
	if err != nil {
		// A dial error, as for any network: nothing of the request has left this node.
		return nil, &net.OpError{Op: "dial", Net: "libp2p", Err: fmt.Errorf("peer %s: %w (%w)", p, ErrUnreachable, err)}
	}
	return conn{s}, nil
}

// URL is the address of a path, which begins with a slash, at a peer.
func URL(p peer.ID, path string) string { return "http://" + p.String() + path }
