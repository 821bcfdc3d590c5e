package cli

import (
	"testing"
	"time"
)

func TestParseSpan(t *testing.T) {
	const day = 24 * time.Hour
	for in, want := range map[string]time.Duration{
		"30d": 30 * day, "1d12h": 36 * time.Hour, "90m": 90 * time.Minute, "0d1s": time.Second, "36500d": 36500 * day,
		"": 0, "0": 0, "0d": 0, "-1h": 0, "-1d": 0, "1d-1h": 0, "d": 0, "1.5d": 0, "36501d": 0, "99999999d": 0, "1w": 0, "x": 0, "1d1d": 0, "2562047h": 0,
	} {
		got, err := parseSpan(in)
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %v %v, want %v", in, got, err, want)
		}
	}
}

func TestSpanText(t *testing.T) {
	for want, d := range map[string]time.Duration{"30d": 30 * 24 * time.Hour, "36h0m0s": 36 * time.Hour, "1m0s": time.Minute} {
		if got := spanText(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
		back := span(0)
		if err := back.Set(want); err != nil || time.Duration(back) != d {
			t.Errorf("%s: %v %v", want, time.Duration(back), err)
		}
	}
}

// FuzzParseSpan reads any text. What it takes is in bounds.
func FuzzParseSpan(f *testing.F) {
	for _, s := range []string{"30d", "1d12h", "90m", "", "-1d", "9d9d", "1e9d", "1d-25h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := parseSpan(s); err == nil && (d <= 0 || d > maxSpan) {
			t.Errorf("%q: %v", s, d)
		}
	})
}
