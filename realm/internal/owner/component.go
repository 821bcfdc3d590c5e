package owner

import (
	"errors"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// SourceError says that somebody else looks after a component.
type SourceError struct {
	Ref  api.Ref
	Owns api.Source // who does
	By   api.Source // who wants to
}

func (e *SourceError) Error() string {
	switch {
	case e.Owns.Package != "":
		return fmt.Sprintf("%s belongs to %s: deploy that again (realm deploy-package), or give --take-over to go on without it", e.Ref, e.Owns)
	case e.Owns.Manifest == "":
		return fmt.Sprintf("%s was pushed by itself, and is not part of %s: give --take-over if it is to be from now on", e.Ref, e.By)
	}
	return fmt.Sprintf("%s belongs to %s: change it there and apply that, or give --take-over to take it out of the manifest", e.Ref, e.Owns)
}

// From is change, made by src. Where another source looks after the component, it is a
// [*SourceError] unless takeOver. What was removed belongs to nobody.
func From(src api.Source, takeOver bool, change Change) Change {
	return func(cur *intent.Signed) (Wanted, error) {
		if cur == nil || cur.Tombstone || cur.Kind != api.KindComponent || takeOver {
			return change(cur)
		}
		body, err := component(cur)
		if err != nil {
			return Wanted{}, err
		}
		if body.Source.Manifest != src.Manifest || body.Source.Package != src.Package {
			return Wanted{}, &SourceError{cur.Ref, body.Source, src}
		}
		return change(cur)
	}
}

// ErrNoReplicas says that there is one of it on every member, whatever one asks for.
var ErrNoReplicas = errors.New("a function answers on every member that its target names, in a fresh instance for each call: there are no replicas to count or to restart")

// Scale asks for so many replicas of a component; 0: one on every member that its
// target names.
func Scale(replicas int) Change {
	return changeComponent(func(c *api.Component) error {
		if c.Replicas == replicas {
			return ErrUnchanged
		}
		c.Replicas = replicas
		return nil
	})
}

// Restart has all replicas of a component started anew.
func Restart(now time.Time) Change {
	return changeComponent(func(c *api.Component) error {
		if c.Stopped {
			return errors.New("it is stopped: start it with realm start")
		}
		c.Restarted = now.UTC().Truncate(time.Millisecond)
		return nil
	})
}

// changeComponent changes something of a component that is there.
func changeComponent(change func(*api.Component) error) Change {
	return func(cur *intent.Signed) (Wanted, error) {
		switch {
		case cur == nil || cur.Tombstone:
			return Wanted{}, ErrUnknown
		case cur.Kind != api.KindComponent:
			return Wanted{}, ErrNoReplicas
		}
		body, err := component(cur)
		if err != nil {
			return Wanted{}, err
		}
		if err := change(body); err != nil {
			return Wanted{}, err
		}
		return Wanted{Target: cur.Target, Body: body}, body.Validate()
	}
}

// component is the body of a component that is there.
func component(cur *intent.Signed) (*api.Component, error) {
	w, err := cur.Workload()
	if err != nil {
		return nil, err
	}
	c, ok := w.(*api.Component)
	if !ok {
		return nil, fmt.Errorf("%s is no component", cur.Ref)
	}
	return c, nil
}
