package api

import (
	"strings"
	"testing"
	"time"
)

func TestShare(t *testing.T) {
	for _, c := range []struct {
		share Share
		of    int
		want  int
	}{
		{"1", 10, 1}, {"3", 10, 3}, {"30", 10, 30}, {"10000", 1, 10000},
		{"25%", 0, 1}, {"25%", 1, 1}, {"25%", 4, 1}, {"25%", 5, 2}, {"25%", 8, 2}, {"25%", 9, 3}, {"25%", 1000, 250},
		{"100%", 7, 7}, {"1%", 100, 1}, {"1%", 101, 2}, {"50%", 3, 2},
		{"", 10, 1}, {"x", 10, 1}, {"0", 10, 1}, {"101%", 10, 1},
	} {
		if got := c.share.Of(c.of); got != c.want {
			t.Errorf("%q of %d: %d, want %d", c.share, c.of, got, c.want)
		}
	}
}

func TestValidateUpdate(t *testing.T) {
	breaks(t, map[string]func(*Update){
		"order \"both\"":         func(u *Update) { u.Order = "both" },
		"deadline -1ns":          func(u *Update) { u.Deadline = -1 },
		"deadline 24h0m1s":       func(u *Update) { u.Deadline = Duration(maxUpdateDeadline + time.Second) },
		"max_unavailable: \"0\"": func(u *Update) { u.MaxUnavailable = "0" },
	})
	for _, bad := range []Share{" ", "%", "0%", "-1", "+1", "1.5", "1 %", "101%", "10001", "1e2", "0x1", "two", "1%%", "%1", Share(strings.Repeat("9", 30))} {
		if err := (&Update{MaxUnavailable: bad}).Validate(); err == nil || !strings.Contains(err.Error(), "1% to 100%") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, good := range []Share{"", "1", "10000", "1%", "100%"} {
		if err := (&Update{MaxUnavailable: good}).Validate(); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}

func TestUpdateDefaults(t *testing.T) {
	defaults := Update{Order: StartFirst, MaxUnavailable: "25%", Deadline: Duration(5 * time.Minute)}
	var none *Update
	if got := none.WithDefaults(); got != defaults {
		t.Errorf("nil: %+v", got)
	}
	some := Update{Order: StopFirst, MaxUnavailable: "2"}
	want := Update{Order: StopFirst, MaxUnavailable: "2", Deadline: defaults.Deadline}
	if got := some.WithDefaults(); got != want || some.Deadline != 0 {
		t.Errorf("%+v: %+v", some, got)
	}
	if err := defaults.Validate(); err != nil {
		t.Error(err)
	}
}
