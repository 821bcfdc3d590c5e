package program

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/engine"
	"github.com/realm-mesh/realm/internal/kit/disk"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// fullStore is a store of blobs that answers as casd does.
type fullStore struct{ status int }

func (s fullStore) Read(context.Context, api.Digest, int64) ([]byte, error) {
	return nil, errors.New("it was not brought")
}

func (s fullStore) Bring(context.Context, api.Digest, int64) error {
	return &local.StatusError{Status: s.status, ErrorReply: api.ErrorReply{Error: "disk full: free some space there"}}
}

func TestNoRoomComesThroughTheLoader(t *testing.T) {
	for status, want := range map[int]bool{http.StatusInsufficientStorage: true, http.StatusNotFound: false, http.StatusServiceUnavailable: false} {
		_, err := NewLoader(fullStore{status}, nil, engine.New(engine.NewCache(t.TempDir()))).Load(t.Context(), api.Program{Blob: api.Sum(nil), Size: 1}, func(api.State) {})
		if got := NoRoom(err); got != want {
			t.Errorf("%d: %v is no room: %v", status, err, got)
		}
	}
	for err, want := range map[error]bool{nil: false, errors.New("disk full"): false, fmt.Errorf("compile: %w", disk.ErrFull): true} {
		if got := NoRoom(err); got != want {
			t.Errorf("%v is no room: %v", err, got)
		}
	}
}
