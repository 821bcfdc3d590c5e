package wasi

import (
	"fmt"

	"github.com/realm-mesh/realm/engine/component/wit"
)

// pollable is something to wait for, as guests hold it.
type pollable struct{ event }

func (*pollable) drop(*Guest) {}

// subscribe returns a pollable for e, which is the child of what it is about.
func (c *call) subscribe(e event, parent uint32) (any, error) {
	return c.g.own(&pollable{e}, parent)
}

// always is ready.
type always struct{}

func (always) ready() bool { return true }

func pollFunctions() map[string]Function {
	return map[string]Function{
		"[method]pollable.ready": method(func(_ *call, p *pollable) (any, error) { return p.ready(), nil }),
		"[method]pollable.block": method(func(c *call, p *pollable) (any, error) {
			return nil, c.g.wait(c.ctx, p.event)
		}),
		"poll": plain(poll),
	}
}

// poll waits for one of many, and says which are ready.
func poll(c *call) (any, error) {
	in := get[[]any](c, 0)
	switch {
	case c.err != nil:
		return nil, c.err
	case len(in) == 0:
		return nil, trap("poll of nothing would wait for ever")
	case len(in) > maxPollables:
		return nil, trap("poll of %d pollables: at most %d at a time", len(in), maxPollables)
	}
	events := make([]event, len(in))
	for n, v := range in {
		h, ok := v.(wit.Handle)
		if !ok {
			return nil, fmt.Errorf("call poll: element %d is a %T, and should be a handle", n, v)
		}
		p, err := at[*pollable](c.g, h)
		if err != nil {
			return nil, err
		}
		events[n] = p.event
	}
	if err := c.g.work(c.ctx, pollWork*len(in)); err != nil {
		return nil, err
	}
	if err := c.g.wait(c.ctx, events...); err != nil {
		return nil, err
	}
	var out []any
	for n, e := range events {
		if e.ready() {
			out = append(out, uint32(n))
		}
	}
	return out, nil
}

// pollWork is what looking at a pollable costs.
const pollWork = 64
