package store

import (
	"testing"

	"github.com/realm-mesh/realm/api"
)

// Nothing of an acknowledged blob waits to be synced, whoever has written it.
func TestSettled(t *testing.T) {
	small, large := noise(80, 200_000), noise(81, 2*mib) // one by one, and all at once
	for _, b := range [][]byte{small, large} {
		s := openStore(t, t.TempDir())
		put(t, s, b)
		if n := s.dirty.len(); n != 0 {
			t.Errorf("after a put: %d", n)
		}
		put(t, s, b)

		s = openStore(t, t.TempDir())
		idx := s.fakeFetch(t, b, 3)
		if n := s.dirty.len(); n != 3 {
			t.Errorf("in a fetch: %d, want 3", n)
		}
		other := noise(82, 100)
		put(t, s, other)
		if n := s.dirty.len(); n < 3 && n != 0 { // a put may sync more than its own
			t.Errorf("after the put of another blob: %d", n)
		}
		put(t, s, b) // shares all of them
		if n := s.dirty.len(); n != 0 {
			t.Errorf("after a put that shares chunks with a fetch: %d", n)
		}
		if err := s.Complete(t.Context(), idx); err != nil {
			t.Error(err)
		}

		s = openStore(t, t.TempDir())
		s.fakeFetch(t, b, 3)
		if s = openStore(t, s.dir); s.dirty.len() != 0 {
			t.Errorf("after a start: %d", s.dirty.len())
		}
	}
}

// A chunk that is written once more while it is synced is still to be synced.
func TestDirtyAgain(t *testing.T) {
	var w dirty
	d, e := api.Sum([]byte("d")), api.Sum([]byte("e"))
	w.add(d, e)
	syncing := w.all()
	w.add(d)
	w.done(syncing)
	if got := w.among([]api.BlobInfo{{SHA256: d}, {SHA256: e}}); len(got) != 1 || got[d] == 0 {
		t.Errorf("dirty: %v", got)
	}
	w.drop(d)
	if w.len() != 0 {
		t.Error("still dirty")
	}
}
