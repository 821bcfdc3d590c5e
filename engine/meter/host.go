package meter

import (
	"context"

	"github.com/tetratelabs/wazero/api"
)

// FromContext returns the budget that a call of the host is made in, to charge what the
// host does; nil: the guest has no meters.
func FromContext(ctx context.Context) *Budget {
	b, _ := ctx.Value(budgetKey{}).(*Budget)
	return b
}

// Check returns why a call that the host is doing for a guest is to end: [ErrDeadline],
// [ErrCanceled] or [ErrFuel]; nil: it may go on. What takes long asks it now and then, and
// has the guest end by a panic with the error, or fail: then its next request for fuel ends it.
func (b *Budget) Check(ctx context.Context) error {
	if err := ended(ctx); err != nil {
		return err
	}
	return b.Err()
}

// Charge counts n units for what the host does. [Budget.Used] has them at once; the guest
// has them less in its slice from [Budget.Settle] on.
func (b *Budget) Charge(n uint64) {
	b.charged += int64(min(n, maxCharge))
}

// maxCharge keeps sums of charges far from an overflow: it is half an hour's fuel.
const maxCharge = 1 << 43

// Settle takes what was charged off the slice of m, which the host is about to return to.
func (b *Budget) Settle(m api.Module) {
	u := b.user(m)
	if u == nil {
		return // it stays charged
	}
	if g, ok := u.fuel.(api.MutableGlobal); ok {
		g.Set(g.Get() - uint64(b.charged))
		b.charged = 0
	}
}
