package schedule

import (
	"sort"
	"time"

	"github.com/realm-mesh/realm/api"
)

// MaxCounted is how many missed instants are counted at most.
const MaxCounted = 10_000

// Due decides which of the instants after from and up to now are to run, oldest first.
// One that is older than grace is missed, and p says what becomes of it; the others run.
// Of all that are to run the newest limit do. skipped is how many are not, where no more
// than MaxCounted are counted; next is the first instant after now, as of Next.
func Due(s Schedule, from, now time.Time, p api.MissedRuns, grace time.Duration, limit int) (run []time.Time, skipped int, next time.Time) {
	next = s.Next(now)
	late := now.Add(-max(grace, 0)).Add(-1) // the latest that is missed
	if late.Before(from) {
		late = from
	}
	limit = max(limit, 0)
	keep := 0
	switch p {
	case api.MissedLast:
		keep = min(1, limit)
	case api.MissedAll:
		keep = limit
	}
	run = append(s.newest(from, late, keep), s.newest(late, now, limit)...)
	if len(run) > limit {
		run = run[len(run)-limit:]
	}
	all, _ := s.Between(from, now, MaxCounted)
	return run, max(len(all)-len(run), 0), next
}

// newest returns the last instants, limit of them at most, after one and up to another.
// It looks for the second to begin at, so that its cost does not grow with their number.
func (s Schedule) newest(after, upTo time.Time, limit int) []time.Time {
	seconds := upTo.Unix() - after.Unix()
	if limit <= 0 || seconds < 0 {
		return nil
	}
	begin := func(i int) time.Time {
		if i == 0 {
			return after
		}
		return time.Unix(after.Unix()+int64(i), 0)
	}
	i := sort.Search(int(seconds), func(i int) bool {
		_, more := s.Between(begin(i), upTo, limit)
		return !more
	})
	instants, _ := s.Between(begin(i), upTo, limit)
	return instants
}
