package manage

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
)

// Limits of what may be asked for.
const (
	maxSince = 10 * 365 * 24 * time.Hour
	maxGrep  = 256 // bytes
)

// query is what /logs is asked for.
type query struct {
	name   string         // of a program, or [all]; "": of none
	tail   int            // the last so many lines
	since  time.Time      // only what is newer; zero: any
	match  *regexp.Regexp // only what matches; nil: any
	follow bool           // new lines, too, as they come
	begun  time.Time      // with follow: lines from then on are new, and beyond tail
}

// parseQuery reads a query. now is what durations are counted back from.
func parseQuery(v url.Values, now time.Time) (q query, err error) {
	if q.name = v.Get("component"); q.name != "" && q.name != all {
		if _, err := api.ParseName(q.name); err != nil {
			return q, err
		}
	}
	if q.since, err = parseSince(v.Get(api.QuerySince), now); err != nil {
		return q, err
	}
	if q.match, err = parseGrep(v.Get(api.QueryGrep)); err != nil {
		return q, err
	}
	if q.tail, err = parseTail(v.Get(api.QueryTail), q.since); err != nil {
		return q, err
	}
	if text := v.Get(api.QueryFollow); text != "" {
		if q.follow, err = strconv.ParseBool(text); err != nil {
			return q, fmt.Errorf("follow %.20q: want 1, or leave it out", text)
		}
	}
	if q.follow && q.name == "" {
		return q, errors.New("follow: say what, with component=NAME, or component=" + all)
	}
	if q.follow {
		q.begun = now
	}
	return q, nil
}

// isNew reports whether a line of this time came after the question.
func (q *query) isNew(at time.Time) bool { return !q.begun.IsZero() && at.After(q.begun) }

// parseTail reads a number of lines. Who says since when, and not how many, wants all.
func parseTail(s string, since time.Time) (int, error) {
	if s == "" {
		if !since.IsZero() {
			return maxTail, nil
		}
		return defaultTail, nil
	}
	v, err := strconv.Atoi(s)
	if err != nil || v < 0 {
		return 0, fmt.Errorf("tail %.20q: want a number of lines, at most %d", s, maxTail)
	}
	return min(v, maxTail), nil
}

// parseSince reads an instant, or how long ago it was.
func parseSince(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 && ago <= maxSince {
		return now.Add(-ago), nil
	}
	// The + of a zone is a space where whoever made the address forgot to escape it.
	if t, err := time.Parse(time.RFC3339Nano, strings.Replace(s, " ", "+", 1)); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("since %.40q: want how long ago, such as 15m, or an instant such as 2026-11-23T02:00:00Z", s)
}

func parseGrep(s string) (*regexp.Regexp, error) {
	if s == "" {
		return nil, nil //nolint:nilnil // nothing was asked for
	}
	if len(s) > maxGrep {
		return nil, fmt.Errorf("grep: %d bytes: at most %d", len(s), maxGrep)
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, fmt.Errorf("grep %.80q: want a regular expression of RE2: %w", s, err)
	}
	return re, nil
}

// wants reports whether a line that was written at this time passes the filters.
func (q *query) wants(at time.Time, text string) bool {
	return (q.since.IsZero() || at.After(q.since)) && (q.match == nil || q.match.MatchString(text))
}
