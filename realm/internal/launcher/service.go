package launcher

import (
	"context"
	"os"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
)

// serve answers for the launcher on the bus. ctx ends when the node is to stop.
func (n *node) serve(ctx context.Context, s *bus.Service) error {
	if err := bus.Handle(s, api.SubjectReady, func(_ context.Context, r *api.Ready) (any, error) {
		return api.Empty{}, n.sup.Ready(*r)
	}); err != nil {
		return err
	}
	if err := bus.Handle(s, api.SubjectPS, func(context.Context, *api.Empty) (any, error) {
		return api.PSReply{Home: n.Home.Root(), PID: os.Getpid(), Daemons: n.sup.Status(), Stopping: ctx.Err() != nil}, nil
	}); err != nil {
		return err
	}
	if err := bus.Handle(s, api.SubjectRestart, func(ctx context.Context, r *api.RestartRequest) (any, error) {
		return api.Empty{}, n.sup.Restart(ctx, r.Daemon)
	}); err != nil {
		return err
	}
	// The answer goes out although the node stops: run waits for requests in flight.
	return bus.Handle(s, api.SubjectDown, func(context.Context, *api.Empty) (any, error) {
		n.down()
		return api.Empty{}, nil
	})
}
