package jobs

import (
	"context"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
)

// sweepEvery is between two looks for votes of jobs that are gone. A vote may come before
// the intent of its job does: it goes when that was not there twice.
const sweepEvery = 12 * time.Hour

// sweepVotes forgets votes of jobs that are gone, and which of their runs are over, until
// ctx ends.
func (m *Manager) sweepVotes(ctx context.Context) {
	every := time.NewTicker(sweepEvery)
	defer every.Stop()
	before := map[api.Digest]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		now := map[api.Digest]bool{}
		err := m.cfg.Votes.Forget(func(root api.Digest) bool {
			if m.knows(root) {
				return true
			}
			now[root] = true
			return !before[root]
		})
		if err != nil {
			m.cfg.Log.Warn("forget votes of jobs that are gone", telemetry.Error(err))
		}
		if err := m.cfg.Over.Forget(m.knows); err != nil {
			m.cfg.Log.Warn("forget runs of jobs that are gone", telemetry.Error(err))
		}
		before = now
	}
}

// Counts are the jobs that are known by how they stand, and how many runs wait here for room.
func (m *Manager) Counts() (states map[api.JobState]int, queued int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	states = map[api.JobState]int{}
	for _, root := range m.book.Roots() {
		if s, ok := m.book.Summary(root); ok {
			states[s.State]++
		}
	}
	return states, m.planner.Queued()
}

func (m *Manager) knows(root api.Digest) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.book.Known(root)
}
