package meshd

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/buildinfo"
	"github.com/realm-mesh/realm/internal/kit/task"
	"github.com/realm-mesh/realm/meshd/internal/claim"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// claimGrace is for the answer to who has claimed the node: with the host its
// connections end, and what was written to them last need not have arrived.
const claimGrace = 3 * time.Second

// runUnclaimed shows where the node is reached until it has an owner, which it can get
// by a pairing code if the settings say so.
func (d *Daemon) runUnclaimed(ctx context.Context, why error) (err error) {
	var desk *claim.Desk
	judge := func(peer.ID, []byte) p2p.Standing { return p2p.Stranger }
	if window := time.Duration(d.env.Config.Tofu); window > 0 {
		files := claim.Files{Pin: d.env.Home.Pin(), Membership: d.env.Home.Proof(), Book: d.state(filePeers)}
		desk = claim.NewDesk(d.key, files, window, d.env.Log)
		judge = desk.Judge
	}
	h, err := p2p.New(p2p.Config{Key: d.key, Version: buildinfo.Version, Judge: judge, GuestProtocols: []protocol.ID{api.ProtocolClaim}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	serve := func(context.Context) error { return nil }
	if desk != nil {
		server := claim.Listen(h, desk, d.env.Log)
		serve = func(ctx context.Context) error { return server.Run(ctx, claimGrace) }
	}
	if err := d.listen(ctx, h); err != nil {
		return err
	}
	d.env.Log.Warn("this node takes part in no realm", "why", why)
	if err := d.show(ctx, waiting{func() api.MeshStatus { return d.unclaimed(h, desk, why) }}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return task.Run(ctx, serve, func(ctx context.Context) error {
		defer cancel()
		var claimed <-chan struct{}
		if desk != nil {
			claimed = desk.Claimed()
		}
		select {
		case <-ctx.Done():
		case <-claimed:
			p2p.WaitGone(ctx, h, claimGrace)
		}
		return nil
	})
}

// unclaimed is the status of a node without an owner.
func (d *Daemon) unclaimed(h *p2p.Host, desk *claim.Desk, why error) api.MeshStatus {
	s := api.MeshStatus{Peer: d.self, Addrs: p2p.PasteAddrs(h), Standing: api.StandingUnclaimed, Note: why.Error(), Refused: d.refused}
	if desk != nil {
		s.Pairing = desk.Pairing()
	}
	return s
}
