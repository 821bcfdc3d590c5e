package node

import (
	"context"
	"fmt"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
)

// FollowLog calls fn for every new line under subject until ctx ends. ready, when
// it is not nil, is called as soon as no further line can be missed.
func (n *Node) FollowLog(ctx context.Context, subject string, ready func() error, fn func(api.LogLine)) error {
	cancel, err := n.bus.Subscribe(subject, func(_ string, data []byte) {
		var l api.LogLine
		// A line that cannot be read is another version's: there is nothing to show.
		if api.Decode(data, api.MaxMessage, &l) == nil {
			fn(l)
		}
	})
	if err != nil {
		return fmt.Errorf("follow: %w", err)
	}
	defer cancel()
	if ready != nil {
		if err := ready(); err != nil {
			return err
		}
	}
	select {
	case <-ctx.Done():
		return nil
	case <-n.bus.Closed():
		return fmt.Errorf("follow: %w", bus.ErrDisconnected)
	}
}
