package schedule_test

import (
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/internal/kit/schedule"
)

// parseRandom is Parse of an expression that may have no instants, but no other fault.
func parseRandom(expr, zone string) (schedule.Schedule, error) {
	s, err := schedule.Parse(expr, zone)
	if err != nil && !strings.Contains(err.Error(), "never comes") {
		panic(err)
	}
	return s, err
}

func FuzzSchedule(f *testing.F) {
	f.Add("0 3 * * *", berlin, int64(1_790_000_000))
	f.Add("*/7 30 2 29 2 MON", howe, int64(-5_000_000_000))
	f.Add("@every 90s", "", int64(0))
	f.Add("* * 29 2 */7", york, int64(4_000_000_000))
	f.Add("0 0 31 * *", apia, int64(1_325_203_200))
	f.Fuzz(func(t *testing.T, expr, zone string, unix int64) {
		s, err := schedule.Parse(expr, zone)
		if err != nil {
			return
		}
		at, began := time.Unix(unix, 0), time.Now()
		for range 5 {
			next := s.Next(at)
			if next.IsZero() {
				break
			}
			if !next.After(at) || next.Nanosecond() != 0 || next.Location() != time.UTC {
				t.Fatalf("%s: after %s comes %s", s, at, next)
			}
			if other := s.Next(next.Add(-1).In(time.FixedZone("", 7*3600))); !other.Equal(next) {
				t.Fatalf("%s: %s is %s, asked in another zone", s, next, other)
			}
			if half := at.Add(next.Sub(at) / 2); half.Before(next) && !s.Next(half).Equal(next) {
				t.Fatalf("%s: from the half way to %s comes %s", s, next, s.Next(half))
			}
			at = next
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Fatalf("%s took %s", s, took)
		}
		again, err := schedule.Parse(strings.Join(strings.Fields(expr), " "), zone)
		if err != nil || again != s {
			t.Fatalf("%s is read as %s: %v", s, again, err)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for _, c := range []struct{ name, expr, zone string }{
		{"daily", "0 3 * * *", berlin},
		{"every minute", "* * * * *", berlin},
		{"every second", "* * * * * *", berlin},
		{"leap day", "0 0 29 2 *", berlin},
		{"rare, following the clock", "* * 29 2 */7", berlin},
		{"period", "@every 90s", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			s := mustParse(b, c.expr, c.zone)
			from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			for at := from; b.Loop(); {
				if at = s.Next(at); at.Year() > 2200 {
					at = from
				}
			}
		})
	}
}
