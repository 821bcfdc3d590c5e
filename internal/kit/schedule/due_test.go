package schedule_test

import (
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/schedule"
)

func TestDue(t *testing.T) {
	s := mustParse(t, "* * * * *", "")
	from := instant(t, "2026-01-01T00:00:00Z")
	minute := func(n int) time.Time { return from.Add(time.Duration(n) * time.Minute) }
	for name, c := range map[string]struct {
		policy  api.MissedRuns
		now     time.Time
		limit   int
		first   int // minute of the first that runs
		runs    int
		skipped int
	}{
		"nothing yet":         {api.MissedSkip, minute(1).Add(-1), 100, 0, 0, 0},
		"on time":             {api.MissedSkip, minute(1), 100, 1, 1, 0},
		"just not missed":     {api.MissedSkip, minute(2), 100, 1, 2, 0},
		"one missed":          {api.MissedSkip, minute(2).Add(1), 100, 2, 1, 1},
		"skip":                {api.MissedSkip, minute(10).Add(1), 100, 10, 1, 9},
		"last":                {api.MissedLast, minute(10).Add(1), 100, 9, 2, 8},
		"all":                 {api.MissedAll, minute(10).Add(1), 100, 1, 10, 0},
		"all, limited":        {api.MissedAll, minute(10).Add(1), 4, 7, 4, 6},
		"none allowed":        {api.MissedAll, minute(10), 0, 0, 0, 10},
		"a year, all":         {api.MissedAll, minute(525_600).Add(1), 100, 525_501, 100, schedule.MaxCounted - 100},
		"now is before begin": {api.MissedAll, minute(-5), 100, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			run, skipped, next := schedule.Due(s, from, c.now, c.policy, time.Minute, c.limit)
			if len(run) != c.runs || skipped != c.skipped {
				t.Fatalf("%d run, %d skipped; want %d, %d", len(run), skipped, c.runs, c.skipped)
			}
			for i, at := range run {
				if !at.Equal(minute(c.first + i)) {
					t.Errorf("run %d is of %s", i, at)
				}
			}
			if !next.Equal(s.Next(c.now)) {
				t.Errorf("next is %s", next)
			}
		})
	}
}

func TestBetween(t *testing.T) {
	s := mustParse(t, "@hourly", "")
	from := instant(t, "2026-01-01T00:00:00Z")
	if all, more := s.Between(from, from.Add(3*time.Hour), 3); len(all) != 3 || more {
		t.Errorf("%v, more %v", all, more)
	}
	if all, more := s.Between(from, from.Add(3*time.Hour), 2); len(all) != 2 || !more {
		t.Errorf("%v, more %v", all, more)
	}
}
