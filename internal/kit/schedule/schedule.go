package schedule

import (
	"time"

	"github.com/netresearch/go-cron"
)

// searchYears is how far ahead an instant is looked for: 29 February falls on a given
// day of the week every 28 years, every 40 where a century without one lies between.
const searchYears = 60

// lastYear is the last whose instants are given; JSON can name no later ones.
const lastYear = 9999

// reach is more than any zone's clock has ever been from UTC, and more than two of them
// from each other.
const reach = 48 * time.Hour

// Schedule is when a job runs. Schedules of the same text and zone are equal (==). The
// zero Schedule has no instants. A Schedule is a value: many goroutines may use it.
type Schedule struct {
	text  string
	zone  *time.Location
	every time.Duration // of "@every"; others are zero then
	bits  fields
	// follows: runs by the clock as people see it; else at fixed times.
	follows bool
	// eitherDay: one of the two day fields is enough.
	eitherDay bool
}

// fields are the values that match, as bits.
type fields struct{ second, minute, hour, dom, month, dow uint64 }

// String returns the expression, and the zone unless it is UTC.
func (s Schedule) String() string {
	if s.zone == nil || s.zone == time.UTC {
		return s.text
	}
	return s.text + " (" + s.zone.String() + ")"
}

// Next returns the first instant after the given one, in UTC and whole seconds; the zero
// time when there is none up to the year 9999, or after is not in the years 1 to 9999.
func (s Schedule) Next(after time.Time) time.Time {
	after = after.UTC()
	if s.zone == nil || after.Year() < 1 || after.Year() > lastYear {
		return time.Time{}
	}
	var next time.Time
	switch {
	case s.every > 0:
		next = multiple(after, s.every)
	case s.follows:
		next = s.nextShown(after)
	default:
		next = s.nextFixed(after)
	}
	if next.IsZero() || next.Year() > lastYear {
		return time.Time{}
	}
	return next
}

// Between returns the instants after one and up to another, both in any zone, oldest
// first and limit of them at most; more says that there are others.
func (s Schedule) Between(after, upTo time.Time, limit int) (instants []time.Time, more bool) {
	for t := s.Next(after); !t.IsZero() && !t.After(upTo); t = s.Next(t) {
		if len(instants) >= limit {
			return instants, true
		}
		instants = append(instants, t)
	}
	return instants, false
}

// multiple returns the first multiple of a duration, in whole seconds since 1970, that
// is after t.
func multiple(t time.Time, every time.Duration) time.Time {
	step := int64(every / time.Second)
	n := t.Unix() / step
	if t.Unix()%step < 0 {
		n--
	}
	return time.Unix((n+1)*step, 0).UTC()
}

// nextWall returns the first wall time after the given one that matches. Wall times are
// what a clock shows, written as times in UTC, where the library meets no changes.
func (s Schedule) nextWall(after time.Time) time.Time {
	spec := cron.SpecSchedule{
		Second: s.bits.second, Minute: s.bits.minute, Hour: s.bits.hour,
		Dom: s.bits.dom, Month: s.bits.month, Dow: s.bits.dow,
		Location: time.UTC, MaxSearchYears: searchYears, DowOrDom: s.eitherDay,
	}
	return spec.Next(after)
}

// nextShown returns the first instant after the given one at which the clock shows a
// time that matches: stretch by stretch between changes of the clock.
func (s Schedule) nextShown(after time.Time) time.Time {
	for {
		offset, _, end := s.stretch(after.Truncate(time.Second).Add(time.Second))
		wall := s.nextWall(after.Add(offset))
		if wall.IsZero() {
			return wall
		}
		next := wall.Add(-offset)
		if end.IsZero() || next.Before(end) || end.Year() > lastYear {
			return next
		}
		after = end.Add(-time.Second)
	}
}

// nextFixed returns the first instant after the given one at which the clock shows a
// time that matches, or a later one, for the first time.
func (s Schedule) nextFixed(after time.Time) time.Time {
	wall := s.nextWall(s.shownUpTo(after))
	if wall.IsZero() {
		return wall
	}
	return s.firstShowing(wall)
}

// shownUpTo returns the latest wall time that the clock has shown at t or before.
func (s Schedule) shownUpTo(t time.Time) time.Time {
	offset, start, _ := s.stretch(t)
	latest := t.Add(offset)
	for !start.IsZero() && start.After(t.Add(-reach)) {
		last := start.Add(-time.Second)
		offset, start, _ = s.stretch(last)
		if wall := last.Add(offset); wall.After(latest) {
			latest = wall
		}
	}
	return latest
}

// firstShowing returns the first instant at which the clock shows wall or later.
func (s Schedule) firstShowing(wall time.Time) time.Time {
	from := wall.Add(-reach)
	for {
		offset, start, end := s.stretch(from)
		t := wall.Add(-offset)
		if t.Before(start) {
			t = start
		}
		if end.IsZero() || t.Before(end) {
			return t
		}
		from = end
	}
}

// stretch returns how far the clock is from UTC at t, and when that began and ends: zero
// where it has no beginning or end.
func (s Schedule) stretch(t time.Time) (offset time.Duration, start, end time.Time) {
	local := t.In(s.zone)
	_, seconds := local.Zone()
	start, end = local.ZoneBounds()
	if !start.IsZero() {
		start = start.UTC()
	}
	if !end.IsZero() {
		end = end.UTC()
		// On the last day of a leap year, in years that only a rule covers, Go gives the
		// day's beginning as the end. No rule changes clocks there.
		if !end.After(t) {
			end = t.Truncate(time.Second).Add(time.Hour).UTC()
		}
	}
	return time.Duration(seconds) * time.Second, start, end
}
