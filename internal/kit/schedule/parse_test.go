package schedule_test

import (
	"strings"
	"testing"

	"github.com/realm-mesh/realm/internal/kit/schedule"
)

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct{ expr, zone, want string }{
		"nothing":            {"", "", "0 fields"},
		"four fields":        {"* * * *", "", "4 fields"},
		"a year":             {"0 0 0 1 1 * 2027", "", "7 fields"},
		"minute":             {"60 * * * *", "", `minute "60": want 0-59`},
		"second":             {"99 * * * * *", "", `second "99"`},
		"hour":               {"0 24 * * *", "", `hour "24": want 0-23`},
		"day 0":              {"0 0 0 * *", "", `day of month "0"`},
		"month":              {"0 0 1 JANUARY *", "", `month "JANUARY"`},
		"week":               {"0 0 * * 8", "", `day of week "8"`},
		"step of nothing":    {"*/0 * * * *", "", "minute"},
		"empty item":         {"1,,2 * * * *", "", "minute"},
		"negative":           {"-1 * * * *", "", "minute"},
		"two steps":          {"*/2/2 * * * *", "", "minute"},
		"star and a range":   {"*-5 * * * *", "", "minute"},
		"last day":           {"0 0 L * *", "", "day of month"},
		"nearest weekday":    {"0 0 15W * *", "", "day of month"},
		"nth":                {"0 0 * * FRI#3", "", "day of week"},
		"hash":               {"H * * * *", "", "minute"},
		"question mark":      {"0 0 ? * 1", "", "day of month"},
		"zone inside":        {"CRON_TZ=Europe/Berlin 0 3 * * *", "", "use time_zone"},
		"short zone inside":  {"TZ=UTC 0 3 * * *", "", "use time_zone"},
		"30 February":        {"0 0 30 2 *", "", "never comes"},
		"31 of short months": {"0 0 31 2,4,6,9,11 *", "", "never comes"},
		"reboot":             {"@reboot", "", "is unknown: want @hourly"},
		"every nothing":      {"@every", "", "one duration"},
		"every half second":  {"@every 500ms", "", "whole seconds"},
		"every 1.5 seconds":  {"@every 1.5s", "", "whole seconds"},
		"every century":      {"@every 876000h", "", "whole seconds"},
		"long":               {strings.Repeat("1,", 300) + "1 * * * *", "", "256 at most"},
		"this node's zone":   {"@daily", "Local", `time zone "Local" is unknown`},
		"unknown zone":       {"@daily", "Europe/Atlantis", "is unknown"},
		"folder":             {"@daily", "Europe", "is unknown"},
		"folder with slash":  {"@daily", "Europe/", "is unknown"},
		"way out":            {"@daily", "../etc/passwd", "is unknown"},
		"other case":         {"@daily", "europe/berlin", "is unknown"},
		"long zone":          {"@daily", strings.Repeat("A", 65), "64 at most"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := schedule.Parse(c.expr, c.zone)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if s != (schedule.Schedule{}) {
				t.Errorf("an error comes with schedule %s", s)
			}
		})
	}
}
