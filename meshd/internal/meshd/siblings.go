package meshd

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

const (
	// lookEvery is how often the launcher is asked how its daemons are: it tells nobody
	// by itself.
	lookEvery = 2 * time.Second
	// downAfter is how long a daemon is not ready before others are told. A restart, or a
	// crash, takes less.
	downAfter = 15 * time.Second
	// slowAfter is downAfter for one that is on its way up. The launcher ends one that has
	// not come up after 30 s, so that a single slow start is no news for others.
	slowAfter = 40 * time.Second
)

// siblings judges how the other daemons of this node are: one is down when it was seen
// not to be ready for downAfter, without a break, and until it is seen to be ready.
type siblings struct {
	down  api.DaemonList
	since map[api.Daemon]time.Time // when they were first seen not to be ready
}

// look takes what the launcher says of its daemons. Those that it does not run are not down.
func (s *siblings) look(all []api.DaemonStatus, now time.Time) {
	var down api.DaemonList
	since := map[api.Daemon]time.Time{}
	for _, d := range all {
		if d.State == api.DaemonReady || d.Daemon == api.Meshd || !slices.Contains(api.Daemons(), d.Daemon) {
			continue
		}
		from, seen := s.since[d.Daemon]
		if !seen {
			from = now
		}
		since[d.Daemon] = from
		limit := downAfter
		if d.State == api.DaemonStarting {
			limit = slowAfter
		}
		if slices.Contains(s.down, d.Daemon) || now.Sub(from) >= limit {
			down = append(down, d.Daemon)
		}
	}
	slices.Sort(down)
	s.down, s.since = slices.Compact(down), since
}

// lose takes note that the launcher cannot be asked: what is not seen does not count.
func (s *siblings) lose() { s.since = nil }

// watchSiblings has tell told of the node's daemons that are down whenever they are
// others than before, until ctx ends. ask asks the launcher, and was those that were
// down when this process began.
func watchSiblings(ctx context.Context, was api.DaemonList, ask func(context.Context) (api.PSReply, error), tell func(api.DaemonList), log *slog.Logger) error {
	s := siblings{down: was}
	again := time.NewTicker(lookEvery)
	defer again.Stop()
	for {
		reply, err := ask(ctx)
		switch {
		case errors.Is(err, bus.ErrForbidden):
			log.Warn("the launcher does not say how the daemons of this node are; others are not told when one is down", telemetry.Error(err))
			return nil
		case err != nil:
			s.lose()
		default:
			before := s.down
			if s.look(reply.Daemons, time.Now()); !slices.Equal(before, s.down) {
				tell(s.down)
				if len(s.down) > 0 {
					log.Warn("daemons of this node are down", "down", s.down)
				} else {
					log.Info("all daemons of this node are back")
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
	}
}

// askLauncher asks how the daemons of this node are.
func (d *Daemon) askLauncher(ctx context.Context) (reply api.PSReply, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	err = d.env.Bus.Request(ctx, api.SubjectPS, api.Empty{}, &reply)
	return reply, err
}

// downBefore is what self said of its daemons before this process began, by the records
// of that time. It may have been started again while another one was down: to say for a
// while that all are well would bring programs back to where they do not run.
func downBefore(self api.PeerID, records []api.PeerRecord) api.DaemonList {
	for _, r := range records {
		if r.Peer == self {
			return r.Down
		}
	}
	return nil
}
