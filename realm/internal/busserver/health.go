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
	var w watchman
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s.restarting.TryLock() { // else somebody starts it anew already
			w.look(ctx, s)
			s.restarting.Unlock()
		}
	}
}

// watchman remembers what the look before has found.
type watchman struct {
	stuck     error
	notBefore time.Time // of the next restart
}

// look starts s anew if it has to be and can be.
func (w *watchman) look(ctx context.Context, s *Server) {
	was := w.stuck
	if w.stuck = s.health(); w.stuck == nil {
		return
	}
	if was == nil {
		s.log.Error("the bus is stuck; it starts again as soon as the disk has room", telemetry.Error(w.stuck))
	}
	if time.Now().Before(w.notBefore) || disk.Room(s.home.Bus(), 0, minRoom) != nil {
		return
	}
	w.notBefore = time.Now().Add(restartPause)
	if err := s.restart(ctx); err != nil {
		s.log.Error("the bus cannot start", telemetry.Error(err))
		return
	}
	s.log.Info("the bus has started again")
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
