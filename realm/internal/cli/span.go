package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// span is a flag that holds a time span: what [time.ParseDuration] reads, with days
// (30d, 1d12h) before it.
type span time.Duration

// maxSpan is the longest span: longer ones are mistakes.
const maxSpan = 100 * 365 * 24 * time.Hour

// Set implements [pflag.Value].
func (s *span) Set(text string) error {
	d, err := parseSpan(text)
	if err != nil {
		return err
	}
	*s = span(d)
	return nil
}

// String implements [pflag.Value].
func (s *span) String() string {
	if *s == 0 {
		return ""
	}
	return spanText(time.Duration(*s))
}

// Type implements [pflag.Value].
func (*span) Type() string { return "duration" }

func parseSpan(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	rest := text
	var sum time.Duration
	if before, after, ok := strings.Cut(text, "d"); ok {
		n, err := strconv.ParseUint(before, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%.40q: want days as in 30d or 1d12h", text)
		}
		sum, rest = time.Duration(n)*day, after
	}
	if rest != "" {
		d, err := time.ParseDuration(rest)
		if err != nil {
			return 0, fmt.Errorf("%.40q: want a time span such as 90m, 24h or 30d", text)
		}
		if d < 0 || d > maxSpan {
			return 0, fmt.Errorf("%.40q: want up to 100 years", text)
		}
		sum += d
	}
	if sum <= 0 || sum > maxSpan {
		return 0, errors.New("want more than nothing, and up to 100 years")
	}
	return sum, nil
}

// spanText is a span in days where it is one of days.
func spanText(d time.Duration) string {
	if days := d / (24 * time.Hour); days > 0 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", days)
	}
	return d.String()
}
