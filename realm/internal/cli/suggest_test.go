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
