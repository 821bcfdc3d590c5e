package node

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/realm/internal/owner"
)

// maxRaces is how often Advance signs anew because somebody else was quicker.
const maxRaces = 8

// Advance signs the next version of ref and hands it to the node. Where another
// version comes in between, it starts again from that one, so that of two
// commands at the same time the later one wins and neither fails.
//
// When there is nothing to change it returns the current version and
// [owner.ErrUnchanged].
func (n *Node) Advance(ctx context.Context, key owner.Key, pin trust.Pin, ref api.Ref, change owner.Change) (intent.Signed, error) {
	for range maxRaces {
		cur, err := n.Current(ctx, ref, pin)
		if err != nil {
			return intent.Signed{}, err
		}
		next, err := key.Next(pin.Realm, ref, cur, change, time.Now())
		if errors.Is(err, owner.ErrUnchanged) {
			return *cur, err
		}
		if err != nil {
			return intent.Signed{}, err
		}
		refusal, err := n.submitNext(ctx, pin, cur, next)
		if err != nil || refusal == nil {
			return next, err
		}
	}
	return intent.Signed{}, fmt.Errorf("submit %s: other commands changed it %d times meanwhile: try again", ref, maxRaces)
}

// submitNext submits next, the version after cur. The refusal of a version that
// lost against another is no error: it says to try again from that other one.
func (n *Node) submitNext(ctx context.Context, pin trust.Pin, cur *intent.Signed, next intent.Signed) (refusal, err error) {
	_, err = n.Submit(ctx, next.Envelope)
	if err == nil {
		return nil, nil
	}
	err = fmt.Errorf("submit %s: %w", next.Ref, err)
	if !Refused(err) {
		return nil, err
	}
	now, nowErr := n.Current(ctx, next.Ref, pin)
	switch {
	case nowErr != nil || now == nil || cur != nil && now.Version() == cur.Version():
		return nil, err // nothing has changed: it is next itself that is not wanted
	case now.Version() == next.Version():
		return nil, nil
	}
	return err, nil
}
