package meshd

import (
	"context"
	"fmt"
	"net/http"

	"github.com/libp2p/go-libp2p/core/host"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/node"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// serveMember answers on the bus and on the socket for a member.
func (d *Daemon) serveMember(n *node.Node, pin trust.Pin) error {
	d.env.Mux.Handle(api.RoutePeer, n.Peers())
	submit := func(ctx context.Context, envelope []byte) (any, error) {
		digest, err := n.Submit(ctx, envelope)
		return api.SubmitReply{Digest: digest}, err
	}
	status := func(context.Context, []byte) (any, error) {
		return api.MeshStatus{Peer: n.Table().Me().Peer, Realm: pin.Realm, Owner: pin.Owner.String(), Addrs: n.Addrs(), Peers: n.Neighbours()}, nil
	}
	providers := func(ctx context.Context, r *api.ProvidersRequest) (any, error) {
		peers, err := n.Providers(ctx, r.Blob)
		return api.ProvidersReply{Peers: peers}, err
	}
	announce := func(_ context.Context, r *api.AnnounceRequest) (any, error) {
		n.Announce(r.Blobs)
		return api.Empty{}, nil
	}
	return d.serve(submit, status, providers, announce)
}

// serveUnclaimed answers for a node without a realm: why is told to whoever wants
// more than its addresses.
func (d *Daemon) serveUnclaimed(h host.Host, why error) error {
	d.env.Mux.HandleFunc(api.RoutePeer, func(w http.ResponseWriter, _ *http.Request) {
		local.WriteError(w, http.StatusBadGateway, why)
	})
	self, err := p2p.ID(h.ID())
	if err != nil {
		return err
	}
	submit := func(context.Context, []byte) (any, error) { return nil, why }
	status := func(context.Context, []byte) (any, error) {
		return api.MeshStatus{Peer: self, Addrs: p2p.PasteAddrs(h)}, nil
	}
	providers := func(context.Context, *api.ProvidersRequest) (any, error) {
		return api.ProvidersReply{Peers: []api.PeerID{}}, nil
	}
	announce := func(context.Context, *api.AnnounceRequest) (any, error) { return api.Empty{}, nil }
	return d.serve(submit, status, providers, announce)
}

type (
	rawHandler       = func(context.Context, []byte) (any, error)
	providersHandler = func(context.Context, *api.ProvidersRequest) (any, error)
	announceHandler  = func(context.Context, *api.AnnounceRequest) (any, error)
)

func (d *Daemon) serve(submit, status rawHandler, providers providersHandler, announce announceHandler) error {
	s := d.env.Service
	for subject, fn := range map[string]rawHandler{api.SubjectSubmit: submit, api.SubjectMesh: status} {
		if err := s.HandleRaw(subject, fn); err != nil {
			return fmt.Errorf("answer requests: %w", err)
		}
	}
	if err := bus.Handle(s, api.SubjectProviders, providers); err != nil {
		return fmt.Errorf("answer requests: %w", err)
	}
	if err := bus.Handle(s, api.SubjectAnnounce, announce); err != nil {
		return fmt.Errorf("answer requests: %w", err)
	}
	return nil
}
