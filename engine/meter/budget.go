package meter

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// Errors of calls that a [Budget] has ended; look for them with [errors.Is].
var (
	ErrFuel     = errors.New("out of fuel")
	ErrDeadline = errors.New("deadline exceeded")
	ErrCanceled = errors.New("canceled")
	ErrStack    = errors.New("call stack exhausted")
	// errNoBudget is a mistake of the host's.
	errNoBudget = errors.New("meter: call of an instrumented module without a budget: see WithBudget")
)

// Slice is how much fuel is handed out at a time: 64 Ki units are worth 5 to 40 µs as a
// rule, and about a millisecond where each waits for memory.
const Slice = 1 << 16

// stackSignal in place of what is left tells that no room is left for frames.
const stackSignal = math.MinInt64

// Budget is what calls may use: of one instance, or of several that call each other. It is
// for one call at a time.
type Budget struct {
	// Space bounds how tables grow; nil: nothing does.
	Space *Space
	// Yield is called before each slice, with the context of the call, and may wait until
	// it is the guest's turn; nil: nobody is to.
	Yield func(context.Context)

	limit   int64  // of fuel
	charged int64  // by the host, and not yet taken off a slice
	users   []user // that have meters
}

// user is an instance that was given slices.
type user struct {
	module  api.Module
	fuel    api.Global // what it has left; right while it does not run
	granted int64      // so far
}

// NewBudget returns a budget of that much fuel; 0: as much as there is time for. When the
// context of a call ends, by its deadline or otherwise, the call does.
func NewBudget(fuel uint64) *Budget {
	if fuel == 0 || fuel > math.MaxInt64 {
		fuel = math.MaxInt64
	}
	return &Budget{limit: int64(fuel)}
}

type budgetKey struct{}

// WithBudget returns a context for calls that are counted in b; instantiating is one.
func WithBudget(ctx context.Context, b *Budget) context.Context {
	return context.WithValue(ctx, budgetKey{}, b)
}

// Used is how much fuel was used: exactly, between calls of the guest and during its
// calls of the host. Of an instance that has trapped, it may be [Slice] more or less.
func (b *Budget) Used() uint64 {
	used := b.charged
	for _, u := range b.users {
		used += u.granted - int64(u.fuel.Get())
	}
	return uint64(max(used, 0))
}

// Err is [ErrFuel] when more was used than there is. An instance asks for more fuel when
// its slice is used up, not when those of others are: who lets several run in one budget
// looks at Err after a call.
func (b *Budget) Err() error {
	if b.Used() > uint64(b.limit) {
		return ErrFuel
	}
	return nil
}

// Recover makes m, which was instrumented with o, fit for calls after one that has
// trapped: what the frames of that took of its stack is given back.
func Recover(m api.Module, o Options) {
	if g, ok := m.ExportedGlobal(exportStack).(api.MutableGlobal); ok {
		g.Set(uint64(o.stack()))
	}
}

// Add counts an instance in from the begin: before it is called. One without meters is left
// out. Instances that are
// called by others and do not loop would be counted late without it.
func (b *Budget) Add(m api.Module) { b.user(m) }

// user finds m among the users; nil: it has no meters. The globals of a new one begin at -1.
func (b *Budget) user(m api.Module) *user {
	for i := range b.users {
		if b.users[i].module == m {
			return &b.users[i]
		}
	}
	fuel := m.ExportedGlobal(exportFuel)
	if fuel == nil {
		return nil
	}
	b.users = append(b.users, user{module: m, fuel: fuel, granted: -1})
	return &b.users[len(b.users)-1]
}

// refill is called by the guest m with what is left of its slice: less than nothing.
func (b *Budget) refill(ctx context.Context, m api.Module, left int64) (int64, error) {
	switch {
	case left == stackSignal:
		return 0, ErrStack
	case isGrow(left) && b.Space == nil:
		return max(left-growSignal, 0), nil
	case isGrow(left):
		return b.Space.grow(left), nil
	}
	u := b.user(m)
	if g, ok := u.fuel.(api.MutableGlobal); ok {
		g.Set(uint64(left)) // for Used, if it ends here
	}
	if b.Yield != nil {
		b.Yield(ctx)
	}
	used := b.charged + u.granted - left
	for i := range b.users {
		if o := &b.users[i]; o != u {
			used += o.granted - int64(o.fuel.Get())
		}
	}
	switch err := ended(ctx); {
	case err != nil:
		return 0, err
	case used > b.limit:
		return 0, ErrFuel
	}
	next := min(Slice, b.limit-used)
	u.granted += next - left
	return next, nil
}

// ended looks at the clock, too: the timer of a context may be late on a busy machine.
func ended(ctx context.Context) error {
	if d, ok := ctx.Deadline(); ok && !time.Now().Before(d) {
		return ErrDeadline
	}
	switch err := ctx.Err(); {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return ErrDeadline
	default:
		return fmt.Errorf("%w: %w", ErrCanceled, context.Cause(ctx))
	}
}

// Define makes the host module that instrumented modules of r import. It is needed once.
func Define(ctx context.Context, r wazero.Runtime) error {
	fn := api.GoModuleFunc(func(ctx context.Context, m api.Module, stack []uint64) {
		b := FromContext(ctx)
		if b == nil {
			panic(errNoBudget)
		}
		next, err := b.refill(ctx, m, int64(stack[0]))
		if err != nil {
			panic(err) // which ends the guest: wazero returns it from the call
		}
		stack[0] = uint64(next)
	})
	_, err := r.NewHostModuleBuilder(ImportModule).NewFunctionBuilder().
		WithGoModuleFunction(fn, []api.ValueType{api.ValueTypeI64}, []api.ValueType{api.ValueTypeI64}).
		Export(importRefill).Instantiate(ctx)
	if err != nil {
		return fmt.Errorf("define meter: %w", err)
	}
	return nil
}
