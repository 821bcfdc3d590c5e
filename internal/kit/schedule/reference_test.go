package schedule_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain has the reference read the same tables of zones, by Go's own way.
func TestMain(m *testing.M) {
	if err := os.Setenv("ZONEINFO", "zoneinfo.zip"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// sets is an expression as sets of values, for the reference.
type sets struct {
	text   [6]string
	values [6]map[int]bool
}

var bounds = [6][2]int{{0, 59}, {0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 6}}

// randomSets makes an expression; each field is a star, a step, a range or a list.
func randomSets(r *rand.Rand, seconds bool) sets {
	var s sets
	for i := range s.text {
		lo, hi := bounds[i][0], bounds[i][1]
		kind := r.IntN(6)
		if i >= 3 && r.IntN(3) > 0 {
			kind = 0
		}
		s.values[i] = map[int]bool{}
		add := func(from, to, step int) {
			for v := from; v <= to; v += step {
				s.values[i][v] = true
			}
		}
		switch {
		case i == 0 && !seconds:
			s.text[i] = "0"
			add(0, 0, 1)
		case kind == 0:
			s.text[i] = "*"
			add(lo, hi, 1)
		case kind == 1 && i != 5: // 7 is Sunday, steps over it are in the tables
			step := 1 + r.IntN(hi-lo)
			s.text[i] = fmt.Sprintf("*/%d", step)
			add(lo, hi, step)
		case kind == 2:
			from, to := lo+r.IntN(hi-lo+1), lo+r.IntN(hi-lo+1)
			from, to = min(from, to), max(from, to)
			step := 1 + r.IntN(min(5, max(1, to-from)))
			s.text[i] = fmt.Sprintf("%d-%d/%d", from, to, step)
			add(from, to, step)
		default:
			var list []string
			for range 1 + r.IntN(3) {
				v := lo + r.IntN(hi-lo+1)
				if i == 2 {
					v = r.IntN(4) // where clocks are changed
				}
				list = append(list, fmt.Sprint(v))
				add(v, v, 1)
			}
			s.text[i] = strings.Join(list, ",")
		}
	}
	return s
}

func (s sets) expr(seconds bool) string {
	if seconds {
		return strings.Join(s.text[:], " ")
	}
	return strings.Join(s.text[1:], " ")
}

func (s sets) matches(w time.Time) bool {
	day, week := s.values[3][w.Day()], s.values[5][int(w.Weekday())]
	days := day && week
	if s.text[3][0] != '*' && s.text[5][0] != '*' {
		days = day || week
	}
	return s.values[1][w.Minute()] && s.values[2][w.Hour()] && s.values[0][w.Second()] && days && s.values[4][int(w.Month())]
}

// walk goes over the instants of a window step by step and returns those that are due,
// by the words of the package's documentation.
func (s sets) walk(loc *time.Location, from, to time.Time, step time.Duration) []time.Time {
	follows := strings.Contains(s.text[0]+s.text[1]+s.text[2], "*")
	wall := func(t time.Time) time.Time {
		l := t.In(loc)
		return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), 0, time.UTC)
	}
	var due []time.Time
	shown := wall(from.Add(-30 * time.Hour))
	for t := from.Add(-30 * time.Hour); !t.After(to); t = t.Add(step) {
		now, hit := wall(t), false
		if follows {
			hit = s.matches(now)
		} else {
			for w := shown.Add(step); !w.After(now); w = w.Add(step) {
				hit = hit || s.matches(w)
			}
		}
		if now.After(shown) {
			shown = now
		}
		if hit && t.After(from) {
			due = append(due, t)
		}
	}
	return due
}

// TestReference compares with a walk over the clock, around changes of many kinds.
func TestReference(t *testing.T) {
	for _, c := range []struct {
		zone, day string // the day of the change, in UTC
		seconds   bool
		rounds    int
	}{
		{berlin, "2026-03-29", false, 40}, {berlin, "2026-10-25", false, 40},
		{york, "2026-03-08", false, 30}, {york, "2026-11-01", false, 30},
		{howe, "2026-10-03", false, 40}, {howe, "2026-04-04", false, 40},
		{sao, "2018-11-04", false, 40}, {sao, "2018-02-18", false, 40},
		{casa, "2026-02-15", false, 30}, {casa, "2026-03-22", false, 30},
		{apia, "2011-12-30", false, 40}, {"Asia/Kolkata", "2024-02-29", false, 50},
		{"Asia/Manila", "1844-12-30", true, 2}, {"Africa/Monrovia", "1972-01-07", true, 2},
		{"Europe/Amsterdam", "1937-06-30", true, 2}, {"Antarctica/Troll", "2026-03-29", false, 30},
		{"Antarctica/Troll", "2026-10-25", false, 30}, {"America/Juneau", "1867-10-19", true, 2},
		{"Pacific/Kwajalein", "1993-08-21", false, 30}, {"UTC", "2026-12-31", true, 2},
		{berlin, "2026-10-25", true, 2}, {howe, "2026-04-04", true, 2},
	} {
		t.Run(fmt.Sprint(c.zone, c.day, c.seconds), func(t *testing.T) {
			t.Parallel()
			loc, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(1, uint64(len(c.zone))))
			step, before, after := time.Minute, 36*time.Hour, 60*time.Hour
			if c.seconds {
				step, before, after = time.Second, 6*time.Hour, 28*time.Hour
			}
			from := instant(t, c.day+"T00:00:00Z").Add(-before)
			to := from.Add(before + after)
			for range c.rounds {
				compare(t, randomSets(r, c.seconds), c.seconds, loc, from, to, step)
			}
		})
	}
}

func compare(t *testing.T, want sets, seconds bool, loc *time.Location, from, to time.Time, step time.Duration) {
	t.Helper()
	s, err := parseRandom(want.expr(seconds), loc.String())
	if err != nil {
		return // a day that no month has
	}
	at := from
	for _, due := range want.walk(loc, from, to, step) {
		if at = s.Next(at); !at.Equal(due) {
			t.Fatalf("%s: next is %s, want %s", s, at.In(loc), due.In(loc))
		}
		// From within the pause before it, and from the other side of a change.
		if again := s.Next(due.Add(-1)); !again.Equal(due) {
			t.Fatalf("%s: just before %s next is %s", s, due.In(loc), again.In(loc))
		}
	}
	if at = s.Next(at); !at.After(to) {
		t.Fatalf("%s: one more at %s", s, at.In(loc))
	}
}
