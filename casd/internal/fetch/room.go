package fetch

import (
	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/casd/internal/store"
)

// reserve asks for room for all that is missing, before any of it is fetched: what does
// not fit is refused now, and others know of it meanwhile.
func (t *transfer) reserve(missing []api.BlobInfo) error {
	n := int64(0)
	for _, c := range missing {
		n += c.Size
	}
	room, err := t.parts.Store.Reserve(t.ctx, n)
	if err != nil {
		return err
	}
	t.hold(room)
	return nil
}

// hold replaces the room that is reserved; nil: by none.
func (t *transfer) hold(room *store.Reservation) {
	t.mu.Lock()
	before := t.room
	t.room = room
	t.mu.Unlock()
	if before != nil {
		before.Release()
	}
}

// put stores a chunk out of the room that is reserved.
func (t *transfer) put(c api.BlobInfo, b []byte) error {
	t.mu.Lock()
	room := t.room
	t.mu.Unlock()
	return room.PutChunk(c, b)
}
