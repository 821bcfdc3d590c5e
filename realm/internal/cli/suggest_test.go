package cli

import (
	"slices"
	"testing"
)

func TestNearest(t *testing.T) {
	names := []string{"ticker", "web", "web-shop", "double", "x"}
	for word, want := range map[string][]string{
		"tikcer": {"ticker"},
		"wbe":    {"web"},
		"we":     {"web"},
		"web-":   {"web", "web-shop"},
		"dou":    {"double"},
		"y":      nil,
		"other":  nil,
		"":       nil,
	} {
		if got := nearest(word, names); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "ab", 2}, {"ab", "", 2}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"same", "same", 0}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
