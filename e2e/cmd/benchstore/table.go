package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// heading begins a table with these columns.
func heading(title string, columns ...string) {
	fmt.Printf("\n## %s\n\n", title)
	row(columns...)
	row(slices.Repeat([]string{"---"}, len(columns))...)
}

func row(cells ...string) {
	fmt.Println("| " + strings.Join(cells, " | ") + " |")
}

// times are durations of equal work.
type times []time.Duration

func (t times) median() time.Duration {
	return slices.Sorted(slices.Values(t))[len(t)/2]
}

// rate is how fast size bytes went by the median.
func (t times) rate(size int64) string {
	return fmt.Sprintf("%.0f MB/s", float64(size)/1e6/t.median().Seconds())
}

// seconds are the median and, in brackets, the extremes.
func (t times) seconds() string {
	return fmt.Sprintf("%.2f s (%.2f to %.2f)", t.median().Seconds(), slices.Min(t).Seconds(), slices.Max(t).Seconds())
}

// share is the speed of t as a part of that of other, 1 for the same: the median
// over the rounds, each of which compares what ran next to each other.
func (t times) share(other times) float64 {
	var all []float64
	for i := range t {
		all = append(all, other[i].Seconds()/t[i].Seconds())
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func percent(f float64) string { return fmt.Sprintf("%.1f %%", 100*f) }

// atLeast, atMost and below tell an aim and whether it is met.
func atLeast(got, aim float64, text string) string { return judged(got >= aim, "≥ "+text) }
func atMost(got, aim float64, text string) string  { return judged(got <= aim, "≤ "+text) }
func below(got, aim float64, text string) string   { return judged(got < aim, "< "+text) }

func judged(met bool, aim string) string {
	if met {
		return aim + ": met"
	}
	return aim + ": **missed**"
}
