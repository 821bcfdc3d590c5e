package wasi

import (
	"math"
	"time"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// requestOptions are timeouts of a request.
type requestOptions struct{ connect, firstByte, betweenBytes wit.Choice }

func (*requestOptions) drop(*Guest) {}

func optionFunctions() map[string]Function {
	out := map[string]Function{"[constructor]request-options": plain(func(c *call) (any, error) {
		return c.g.own(&requestOptions{}, 0)
	})}
	for name, part := range map[string]func(*requestOptions) *wit.Choice{
		"connect-timeout":       func(o *requestOptions) *wit.Choice { return &o.connect },
		"first-byte-timeout":    func(o *requestOptions) *wit.Choice { return &o.firstByte },
		"between-bytes-timeout": func(o *requestOptions) *wit.Choice { return &o.betweenBytes },
	} {
		out["[method]request-options."+name] = method(func(_ *call, o *requestOptions) (any, error) { return *part(o), nil })
		out["[method]request-options.set-"+name] = method(func(c *call, o *requestOptions) (any, error) {
			span, some := optional[uint64](c, 1)
			if c.err != nil {
				return nil, c.err
			}
			*part(o) = wit.None()
			if some {
				*part(o) = wit.Some(span)
			}
			return wit.Ok(nil), nil
		})
	}
	return out
}

func (o *requestOptions) timeouts() Timeouts {
	return Timeouts{Connect: span(o.connect), FirstByte: span(o.firstByte), BetweenBytes: span(o.betweenBytes)}
}

// span is the time of an option. No time at all is the shortest there is.
func span(o wit.Choice) time.Duration {
	n, ok := o.Value.(uint64)
	if !ok {
		return 0
	}
	return time.Duration(max(min(n, math.MaxInt64), 1))
}
