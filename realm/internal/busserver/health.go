package busserver

import (
	"context"
	"errors"
	"time"

	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// The server tells its log alone that a stream is stuck, hence the regular look.
const (
	healthEvery  = time.Second
	restartPause = 10 * time.Second // between two restarts that did not help
)

// watchHealth starts the server anew when one of its streams is stuck and the disk
// has room, until ctx ends.
func (s *Server) watchHealth(ctx context.Context) {
	tick := time.NewTicker(healthEvery)
	defer tick.Stop()
	var stuck error
	var notBefore time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		was := stuck
		if stuck = s.health(); stuck == nil {
			continue
		}
		if was == nil {
			s.log.Error("the bus is stuck; it starts again as soon as the disk has room", telemetry.Error(stuck))
		}
		if time.Now().Before(notBefore) || disk.Room(s.home.Bus(), 0, minRoom) != nil {
			continue
		}
		notBefore = time.Now().Add(restartPause)
		if err := s.Restart(ctx); err != nil {
			s.log.Error("the bus cannot start", telemetry.Error(err))
			continue
		}
		s.log.Info("the bus has started again")
	}
}

// health returns why the server cannot do its work.
func (s *Server) health() error {
	s.mu.Lock()
	srv := s.nats
	s.mu.Unlock()
	if srv == nil {
		return errors.New("the server does not run")
	}
	if h := srv.Healthz(nil); h.Error != "" {
		return errors.New(h.Error)
	}
	return nil
}
