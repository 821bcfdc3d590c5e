package api

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Update says how a new version takes the place of one that runs. Zero values mean
// the defaults.
type Update struct {
	Order Order `json:"order,omitempty"`
	// MaxUnavailable is how many replicas may be on their way to a new version at
	// once, as a number ("2") or a share of all ("25%"), rounded up; default 25%. Where
	// the version has failed, that counts, too. With StopFirst so many may be down, for
	// whatever reason, and slow members are waited for; else those are passed.
	MaxUnavailable Share `json:"max_unavailable,omitempty"`
	// Deadline is how long after its start a version may take to be ready before it
	// counts as failed; default 5 min.
	Deadline Duration `json:"deadline,omitzero"`
}

// Order says which of two versions on one member goes first.
type Order string

// The orders.
const (
	StartFirst Order = ""           // the old version stops when the new one is ready
	StopFirst  Order = "stop-first" // never two at once; the old one comes back if the new one is not ready
)

// Defaults of [Update].
const (
	DefaultMaxUnavailable Share = "25%"
	DefaultUpdateDeadline       = 5 * time.Minute
	maxUpdateDeadline           = 24 * time.Hour
)

// WithDefaults returns u, which may be nil, with nothing left out.
func (u *Update) WithDefaults() Update {
	var out Update
	if u != nil {
		out = *u
	}
	if out.MaxUnavailable == "" {
		out.MaxUnavailable = DefaultMaxUnavailable
	}
	if out.Deadline == 0 {
		out.Deadline = Duration(DefaultUpdateDeadline)
	}
	return out
}

// Validate implements [Validator].
func (u *Update) Validate() error {
	if u.Order != StartFirst && u.Order != StopFirst {
		return fmt.Errorf("update: order %.40q: want start-first or stop-first", string(u.Order))
	}
	if u.Deadline < 0 || time.Duration(u.Deadline) > maxUpdateDeadline {
		return fmt.Errorf("update: deadline %s: at most %s", time.Duration(u.Deadline), maxUpdateDeadline)
	}
	if u.MaxUnavailable == "" {
		return nil
	}
	if _, _, err := u.MaxUnavailable.parse(); err != nil {
		return fmt.Errorf("update: max_unavailable: %w", err)
	}
	return nil
}

// Share is a number of things ("2"), or a part of them ("25%").
type Share string

func (s Share) parse() (n int, percent bool, err error) {
	digits, percent := strings.CutSuffix(string(s), "%")
	n, err = strconv.Atoi(digits)
	if err != nil || n < 1 || percent && n > 100 || n > MaxReplicas || strings.HasPrefix(digits, "+") {
		return 0, false, fmt.Errorf("%.40q: want a number from 1, or 1%% to 100%%", string(s))
	}
	return n, percent, nil
}

// Of returns how many of n things s is: at least 1. A share that is not valid is 1.
func (s Share) Of(n int) int {
	k, percent, err := s.parse()
	switch {
	case err != nil:
		return 1
	case percent:
		return max(1, (n*k+99)/100)
	}
	return k
}
