package meshd

import (
	"context"
	"fmt"
	"net/http"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
)

// serve answers on the bus and on the socket, by the stage that is on.
func (d *Daemon) serve() error {
	d.env.Mux.Handle(api.RoutePeer, d.tracer.Joined("mesh out", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.stage().Peers().ServeHTTP(w, r) })))
	d.env.Mux.HandleFunc(api.RouteReferences, func(w http.ResponseWriter, r *http.Request) { d.stage().References(w, r) })
	s := d.env.Service
	for _, register := range []func() error{
		func() error {
			return s.HandleRaw(api.SubjectSubmit, func(ctx context.Context, envelope []byte) (any, error) {
				digest, err := d.stage().Submit(ctx, envelope)
				return api.SubmitReply{Digest: digest}, err
			})
		},
		func() error {
			return bus.Handle(s, api.SubjectBatch, func(ctx context.Context, r *api.SubmitBatch) (any, error) {
				digests, err := d.stage().SubmitAll(ctx, r.Envelopes)
				return api.SubmitBatchReply{Digests: digests}, err
			})
		},
		func() error {
			return s.HandleRaw(api.SubjectMesh, func(context.Context, []byte) (any, error) { return d.stage().Status(), nil })
		},
		func() error {
			return bus.Handle(s, api.SubjectProviders, func(ctx context.Context, r *api.ProvidersRequest) (any, error) {
				peers, err := d.stage().Providers(ctx, r.Blob)
				return api.ProvidersReply{Peers: peers}, err
			})
		},
		func() error {
			return bus.Handle(s, api.SubjectAnnounce, func(_ context.Context, r *api.AnnounceRequest) (any, error) {
				d.stage().Announce(r)
				return api.Empty{}, nil
			})
		},
		func() error {
			return bus.Handle(s, api.SubjectHoldings, func(_ context.Context, t *api.TellHoldings) (any, error) {
				d.stage().TellHoldings(t)
				return api.Empty{}, nil
			})
		},
		func() error {
			return bus.Handle(s, api.SubjectMembers, func(_ context.Context, r *api.MembersRequest) (any, error) {
				return d.stage().Members(r.After)
			})
		},
		func() error {
			return bus.Handle(s, api.SubjectHistory, func(_ context.Context, r *api.HistoryRequest) (any, error) {
				return d.stage().History(r.Ref)
			})
		},
		func() error {
			return bus.Handle(s, api.SubjectClaim, func(ctx context.Context, r *api.ClaimNode) (any, error) {
				return api.Empty{}, d.stage().Claim(ctx, r)
			})
		},
	} {
		if err := register(); err != nil {
			return fmt.Errorf("answer requests: %w", err)
		}
	}
	return nil
}
