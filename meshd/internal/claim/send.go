package claim

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
	"github.com/realm-mesh/realm/meshd/internal/streams"
)

const (
	sendTimeout = 20 * time.Second
	maxReply    = 4 << 10 // bytes
)

// errAway says that a node cannot be asked.
var errAway = errors.New("it is not there, or does not wait for an owner: start it with realm up --tofu, and use an address and the code that it prints")

// Listen answers claims on a host that has no realm, with [streams.Server.Run].
func Listen(h host.Host, d *Desk, log *slog.Logger) *streams.Server {
	return streams.ListenOn(h, api.ProtocolClaim, d.Handler(), log)
}

// Send claims the node at an address. It speaks from a host of its own with a fresh
// key, which nobody but that node is let into.
func Send(ctx context.Context, req *api.ClaimNode, version string) (err error) {
	at, err := p2p.ParseBootstrap([]string{req.Addr})
	if err != nil {
		return err
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return fmt.Errorf("claim: %w", err)
	}
	h, err := p2p.New(p2p.Config{Key: key, Version: version, GuestProtocols: []protocol.ID{api.ProtocolClaim},
		Judge: func(p peer.ID, _ []byte) p2p.Standing {
			if p != at[0].ID {
				return p2p.Stranger
			}
			return p2p.Guest
		}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := h.Connect(ctx, at[0]); err != nil {
		return fmt.Errorf("reach %s: %w (%w)", req.Addr, errAway, err)
	}
	return post(ctx, h, at[0].ID, &req.ClaimRequest)
}

func post(ctx context.Context, h host.Host, p peer.ID, req *api.ClaimRequest) error {
	t := streams.NewTransportOn(h, api.ProtocolClaim, sendTimeout)
	defer t.CloseIdleConnections()
	path := strings.Fields(api.RouteClaim)[1]
	err := local.Call(ctx, &http.Client{Transport: t}, http.MethodPost, streams.URL(p, path), req, &api.Empty{}, maxReply)
	var no *local.StatusError
	if err == nil || errors.As(err, &no) {
		return err
	}
	return fmt.Errorf("ask %s: %w (%w)", p, errAway, err)
}
