package schedule_test

import (
	"testing"
	"time"

	"github.com/realm-mesh/realm/internal/kit/schedule"
)

const (
	berlin = "Europe/Berlin"
	york   = "America/New_York"
	howe   = "Australia/Lord_Howe"
	sao    = "America/Sao_Paulo"
	apia   = "Pacific/Apia"
	casa   = "Africa/Casablanca"
)

func mustParse(t testing.TB, expr, zone string) schedule.Schedule {
	t.Helper()
	s, err := schedule.Parse(expr, zone)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// TestNext: instants in UTC that follow each other.
func TestNext(t *testing.T) {
	for name, c := range map[string]struct {
		expr, zone, after string
		want              []string
	}{
		"fixed, hour left out":         {"30 2 * * *", berlin, "2026-03-28T00:00:00Z", []string{"2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}},
		"two fixed times in one gap":   {"15,45 2 * * *", berlin, "2026-03-29T00:00:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-30T00:15:00Z"}},
		"gap and the time after it":    {"0 2,3 * * *", berlin, "2026-03-29T00:00:00Z", []string{"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"}},
		"fixed, hour shown twice":      {"30 2 * * *", berlin, "2026-10-24T12:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}},
		"asked in the second showing":  {"30 2 * * *", berlin, "2026-10-25T01:10:00Z", []string{"2026-10-26T01:30:00Z"}},
		"every hour, hour left out":    {"30 * * * *", berlin, "2026-03-29T00:00:00Z", []string{"2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"}},
		"every hour, hour shown twice": {"30 * * * *", berlin, "2026-10-25T00:00:00Z", []string{"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"}},
		"star minutes in a gap":        {"*/30 2 * * *", berlin, "2026-03-28T12:00:00Z", []string{"2026-03-30T00:00:00Z", "2026-03-30T00:30:00Z"}},
		"star minutes, twice":          {"*/30 2 * * *", berlin, "2026-10-25T00:00:01Z", []string{"2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:00:00Z"}},
		"New York, gap":                {"30 2 * * *", york, "2026-03-08T00:00:00Z", []string{"2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"}},
		"New York, twice":              {"30 1 * * *", york, "2026-11-01T00:00:00Z", []string{"2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"}},
		"Lord Howe, half an hour gap":  {"15 2 * * *", howe, "2026-10-03T12:00:00Z", []string{"2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"}},
		"Lord Howe, half an hour back": {"45 1 * * *", howe, "2026-04-04T00:00:00Z", []string{"2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"}},
		"Lord Howe, every hour":        {"45 * * * *", howe, "2026-04-04T14:00:00Z", []string{"2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z", "2026-04-04T16:15:00Z"}},
		"Sao Paulo, no midnight":       {"@daily", sao, "2018-11-03T12:00:00Z", []string{"2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"}},
		"Sao Paulo, midnight twice":    {"0 23 * * *", sao, "2018-02-17T12:00:00Z", []string{"2018-02-18T01:00:00Z", "2018-02-19T02:00:00Z"}},
		"Samoa, a day left out":        {"0 12 * * *", apia, "2011-12-29T12:00:00Z", []string{"2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"}},
		"Samoa, every hour":            {"0 * * * *", apia, "2011-12-30T08:30:00Z", []string{"2011-12-30T09:00:00Z", "2011-12-30T10:00:00Z"}},
		"Casablanca, before Ramadan":   {"30 2 * * *", casa, "2026-02-15T00:00:00Z", []string{"2026-02-15T01:30:00Z", "2026-02-16T02:30:00Z"}},
		"Casablanca, after Ramadan":    {"30 2 * * *", casa, "2026-03-21T12:00:00Z", []string{"2026-03-22T02:00:00Z", "2026-03-23T01:30:00Z"}},
		"Kolkata":                      {"0 9 * * MON", "Asia/Kolkata", "2026-01-01T00:00:00Z", []string{"2026-01-05T03:30:00Z"}},
		"leap day":                     {"0 0 29 2 *", "", "2024-02-29T00:00:00Z", []string{"2028-02-29T00:00:00Z"}},
		"leap day over a century":      {"0 0 29 2 *", "", "2096-02-29T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},
		"leap day on a Sunday":         {"0 0 29 2 */7", "", "2026-01-01T00:00:00Z", []string{"2032-02-29T00:00:00Z", "2060-02-29T00:00:00Z"}},
		"end of a year":                {"59 59 23 31 12 *", "", "2026-12-31T23:59:58Z", []string{"2026-12-31T23:59:59Z", "2027-12-31T23:59:59Z"}},
		"seconds":                      {"*/20 * * * * *", "", "2026-01-01T00:00:00.5Z", []string{"2026-01-01T00:00:20Z", "2026-01-01T00:00:40Z", "2026-01-01T00:01:00Z"}},
		"day of month or of week":      {"0 0 13 * FRI", "", "2026-01-01T00:00:00Z", []string{"2026-01-02T00:00:00Z", "2026-01-09T00:00:00Z", "2026-01-13T00:00:00Z"}},
		"day of month and of week":     {"0 0 */2 * FRI", "", "2026-01-01T00:00:00Z", []string{"2026-01-09T00:00:00Z", "2026-01-23T00:00:00Z"}},
		"names over the end":           {"0 0 1 nov-JAN *", "", "2026-02-01T00:00:00Z", []string{"2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-11-01T00:00:00Z"}},
		"week over the end":            {"0 0 * * SAT-MON", "", "2026-01-01T00:00:00Z", []string{"2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z", "2026-01-05T00:00:00Z", "2026-01-10T00:00:00Z"}},
		"Sunday is 7":                  {"0 0 * * 7", "", "2026-01-01T00:00:00Z", []string{"2026-01-04T00:00:00Z"}},
		"from a value in steps":        {"5/25 * * * *", "", "2026-01-01T00:00:00Z", []string{"2026-01-01T00:05:00Z", "2026-01-01T00:30:00Z", "2026-01-01T00:55:00Z", "2026-01-01T01:05:00Z"}},
		"every 90s":                    {"@every 90s", berlin, "1970-01-01T00:00:00Z", []string{"1970-01-01T00:01:30Z", "1970-01-01T00:03:00Z"}},
		"every 90s before 1970":        {"@every 90s", "", "1969-12-31T23:59:00Z", []string{"1970-01-01T00:00:00Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, at := mustParse(t, c.expr, c.zone), instant(t, c.after)
			for _, want := range c.want {
				if at = s.Next(at); !at.Equal(instant(t, want)) || at.Location() != time.UTC {
					t.Fatalf("%s: next is %s, want %s", s, at.Format(time.RFC3339), want)
				}
			}
		})
	}
}

func TestNextEnds(t *testing.T) {
	s := mustParse(t, "0 0 1 1 *", "")
	for _, after := range []time.Time{instant(t, "9999-06-01T00:00:00Z"), time.Unix(1<<55, 0), time.Unix(-1<<60, 0)} {
		if next := s.Next(after); !next.IsZero() {
			t.Errorf("after %v comes %v", after, next)
		}
	}
	if next := (schedule.Schedule{}).Next(time.Unix(0, 0)); !next.IsZero() {
		t.Errorf("no schedule has %v", next)
	}
}

func TestSchedulesCompare(t *testing.T) {
	a, b := mustParse(t, "0  3 * * *", berlin), mustParse(t, " 0 3 * * * ", berlin)
	if a != b || a.String() != "0 3 * * * (Europe/Berlin)" {
		t.Errorf("%s and %s differ", a, b)
	}
	if a == mustParse(t, "0 3 * * *", york) || mustParse(t, "@daily", "") != mustParse(t, "@daily", "UTC") {
		t.Error("zones are not compared")
	}
}
