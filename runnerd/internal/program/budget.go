package program

import (
	"context"

	"golang.org/x/sync/semaphore"

	"github.com/realm-mesh/realm/api"
)

// maxBytes is how many bytes of programs are in memory at once, each of them several
// times over, until they are compiled: one of the largest, or many small ones.
const maxBytes = api.MaxModule

// budget is for bytes that are in memory.
type budget struct {
	bytes *semaphore.Weighted
	most  int64
}

func newBudget(most int64) budget { return budget{semaphore.NewWeighted(most), most} }

// take waits for room for size bytes, and has it until done is called. What is larger
// than all the room takes that.
func (b budget) take(ctx context.Context, size int64) (done func(), err error) {
	size = min(size, b.most)
	if b.bytes.Acquire(ctx, size) != nil {
		return nil, context.Cause(ctx)
	}
	return func() { b.bytes.Release(size) }, nil
}
