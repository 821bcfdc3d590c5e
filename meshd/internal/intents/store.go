package intents

import (
	"context"
	"errors"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
)

// Errors of a [Store].
var (
	ErrNotFound = errors.New("no intent stored")
	ErrConflict = errors.New("somebody else has written meanwhile")
)

// Stored is an envelope as it lies in a store.
type Stored struct {
	Ref      api.Ref
	Envelope []byte
	Revision uint64 // of this Ref's place in the store; never 0
}

// Store keeps one envelope per Ref, durably.
type Store interface {
	// All returns everything in it.
	All(ctx context.Context) ([]Stored, error)
	// Get returns the envelope of ref, or [ErrNotFound].
	Get(ctx context.Context, ref api.Ref) (Stored, error)
	// Put replaces the envelope of ref if it is still at revision (0: not there),
	// else it returns [ErrConflict]. When it returns nil the envelope is on disk.
	Put(ctx context.Context, ref api.Ref, envelope []byte, revision uint64) error
}

// Marks are the newest versions ever accepted. They only rise. [*trust.Marks] is one.
type Marks interface {
	At(api.Ref) intent.Version
	// Advance returns once the mark is on disk.
	Advance(api.Ref, intent.Version) error
}
