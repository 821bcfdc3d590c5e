package httpshape

import (
	"context"
	"fmt"
	"time"
)

// Recorded is a shape's outcome, as it is kept in a file.
type Recorded struct {
	Shape     string
	Component string
	Outcome   Outcome
}

// Run makes the requests of all shapes, one after the other, at a server of their component.
// A server that does not survive one is restarted for the next.
func Run(ctx context.Context, server Server, upstream string, shapes []Shape) ([]Recorded, error) {
	addr, err := server.Restart(ctx)
	if err != nil {
		return nil, err
	}
	var out []Recorded
	for i := range shapes {
		s := &shapes[i]
		o, err := Observe(ctx, addr, upstream, s)
		if err != nil {
			return nil, err
		}
		o.Survived = survived(ctx, addr)
		if !o.Survived {
			if addr, err = server.Restart(ctx); err != nil {
				return nil, fmt.Errorf("after %s: %w", s.Name, err)
			}
		}
		out = append(out, Recorded{Shape: s.Name, Component: s.Component, Outcome: o})
	}
	return out, nil
}

// survived says whether a plain request is answered, with whatever status.
func survived(ctx context.Context, addr string) bool {
	s := Shape{Name: "afterwards", Target: "/", Within: 5 * time.Second}
	o, err := Observe(ctx, addr, "", &s)
	return err == nil && o.End == Whole
}
