package upgraded

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/realm-mesh/realm/internal/kit/buildinfo"
	"github.com/realm-mesh/realm/internal/kit/daemon"
)

// Daemon is upgraded, wired.
type Daemon struct {
	ready func(ctx context.Context, note string) error
}

// New wires the daemon.
func New(_ context.Context, env *daemon.Env) (daemon.Daemon, error) {
	return build(env.Metrics, env.Ready), nil
}

func build(metrics prometheus.Registerer, ready func(context.Context, string) error) *Daemon {
	registerMetrics(metrics, buildinfo.Version)
	return &Daemon{ready: ready}
}

// Run reports ready, with the version that every such report carries, and waits
// until ctx ends.
func (d *Daemon) Run(ctx context.Context) error {
	if err := d.ready(ctx, ""); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
