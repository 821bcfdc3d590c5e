package fetch

import "context"

// slots bound how many transfers go on side by side. Those that nobody waits for have
// their own few, so that they keep no other from beginning.
type slots struct{ all, low chan struct{} }

func newSlots(cfg Config) slots {
	return slots{make(chan struct{}, cfg.AtOnce), make(chan struct{}, cfg.LowAtOnce)}
}

// take waits for a slot. One that is raised meanwhile waits for another sort.
func (s slots) take(ctx context.Context, low bool, raised <-chan struct{}) (release func(), err error) {
	if low {
		select {
		case s.low <- struct{}{}:
			return func() { <-s.low }, nil
		case <-raised:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	select {
	case s.all <- struct{}{}:
		return func() { <-s.all }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
