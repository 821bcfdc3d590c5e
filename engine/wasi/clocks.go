package wasi

import (
	"math"
	"time"
)

func clockFunctions() map[string]map[string]Function {
	return map[string]map[string]Function{
		"wasi:clocks/wall-clock": {
			"now":        plain(func(c *call) (any, error) { return datetime(c.g.env.Now()), nil }),
			"resolution": plain(func(*call) (any, error) { return []any{uint64(0), uint32(1)}, nil }),
		},
		"wasi:clocks/monotonic-clock": {
			"now":        plain(func(c *call) (any, error) { return c.g.monotonic(), nil }),
			"resolution": plain(func(*call) (any, error) { return uint64(1), nil }),
			"subscribe-instant": plain(func(c *call) (any, error) {
				when := get[uint64](c, 0)
				if c.err != nil {
					return nil, c.err
				}
				return c.subscribe(alarm{c.g, when}, 0)
			}),
			"subscribe-duration": plain(func(c *call) (any, error) {
				span := get[uint64](c, 0)
				if c.err != nil {
					return nil, c.err
				}
				now := c.g.monotonic()
				return c.subscribe(alarm{c.g, now + min(span, math.MaxUint64-now)}, 0)
			}),
		},
	}
}

// monotonic is how long the guest has been there, in nanoseconds.
func (g *Guest) monotonic() uint64 { return uint64(max(g.env.Now().Sub(g.begun), 0)) }

// alarm is ready from an instant on. It holds no timer.
type alarm struct {
	guest *Guest
	when  uint64
}

func (a alarm) ready() bool { return a.guest.monotonic() >= a.when }

func (a alarm) left() time.Duration {
	now := a.guest.monotonic()
	if now >= a.when {
		return 0
	}
	return time.Duration(min(a.when-now, math.MaxInt64))
}

// datetime is a time as WASI has it, which knows none before 1970.
func datetime(t time.Time) []any {
	return []any{uint64(max(t.Unix(), 0)), uint32(t.Nanosecond())}
}
