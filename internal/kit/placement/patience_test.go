package placement_test

import (
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/placement"
)

func TestPatience(t *testing.T) {
	var (
		leaves = placement.Verdict{Duty: none, Meanwhile: keep}
		passes = placement.Verdict{Duty: run, Meanwhile: hold}
		runs   = placement.Verdict{Duty: run}
		v1, v2 = api.Digest{1}, api.Digest{2}
	)
	const ms = time.Millisecond
	type step struct {
		at     time.Duration
		v      placement.Verdict
		wanted api.Digest
		duty   api.Duty
		again  time.Duration // 0: never
	}
	for name, steps := range map[string][]step{
		"what counts at once": {{0, runs, v1, run, 0}},
		"what has stood":      {{0, leaves, v1, keep, placement.Pause}, {placement.Pause - ms, leaves, v1, keep, placement.Pause}, {placement.Pause, leaves, v1, none, 0}, {placement.Pause + ms, leaves, v1, none, 0}},
		"what was taken back": {{0, leaves, v1, keep, placement.Pause}, {ms, runs, v1, run, 0}, {2 * ms, leaves, v1, keep, placement.Pause + 2*ms}, {placement.Pause, leaves, v1, keep, placement.Pause + 2*ms}},
		"another verdict":     {{0, leaves, v1, keep, placement.Pause}, {placement.Pause, passes, v1, hold, 2 * placement.Pause}},
		"a version to start":  {{0, passes, v1, hold, placement.Pause}, {placement.Pause, passes, v2, hold, 2 * placement.Pause}, {2 * placement.Pause, passes, v2, run, 0}},
		"leaving any version": {{0, leaves, v1, keep, placement.Pause}, {placement.Pause, leaves, v2, none, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var p placement.Patience
			begun := time.Unix(1_800_000_000, 0)
			for i, s := range steps {
				act, again := p.Act(s.v, s.wanted, begun.Add(s.at))
				var at time.Duration
				if !again.IsZero() {
					at = again.Sub(begun)
				}
				if act.Duty != s.duty || at != s.again {
					t.Errorf("step %d: %s, again at %s; want %s, %s", i, act.Duty, at, s.duty, s.again)
				}
			}
		})
	}
}
