package meshd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/meshd/internal/intents"
)

// bucketStore keeps intents in the intents bucket. It is an [intents.Store].
type bucketStore struct{ bucket *bus.Bucket }

func (s bucketStore) All(ctx context.Context) ([]intents.Stored, error) {
	entries, err := s.bucket.All(ctx, ">")
	if err != nil {
		return nil, err
	}
	out := make([]intents.Stored, 0, len(entries))
	for _, e := range entries {
		out = append(out, stored(e))
	}
	return out, nil
}

func (s bucketStore) Get(ctx context.Context, ref api.Ref) (intents.Stored, error) {
	e, err := s.bucket.Get(ctx, api.KeyIntent(ref))
	if errors.Is(err, bus.ErrNotFound) {
		return intents.Stored{}, intents.ErrNotFound
	}
	return stored(e), err
}

func (s bucketStore) Put(ctx context.Context, ref api.Ref, envelope []byte, revision uint64) error {
	err := s.bucket.Update(ctx, api.KeyIntent(ref), envelope, revision)
	if errors.Is(err, bus.ErrConflict) {
		return fmt.Errorf("%w: %w", intents.ErrConflict, err)
	}
	return err
}

// stored names an entry by its key. Whether the envelope in it is about that is
// for the ledger to check.
func stored(e bus.Entry) intents.Stored {
	kind, name, _ := strings.Cut(e.Key, ".")
	return intents.Stored{Ref: api.Ref{Kind: api.Kind(kind), Name: api.Name(name)}, Envelope: e.Value, Revision: e.Revision}
}
