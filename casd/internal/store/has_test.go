package store

import (
	"bytes"
	"testing"

	"github.com/realm-mesh/realm/api"
)

func TestHas(t *testing.T) {
	s := openStore(t, t.TempDir())
	b := []byte("a blob")
	d := api.Sum(b)
	if s.Has(d) {
		t.Error("it is here before it was put")
	}
	if _, err := s.Put(t.Context(), bytes.NewReader(b), int64(len(b)), d); err != nil {
		t.Fatal(err)
	}
	if !s.Has(d) || s.Has(api.Sum(nil)) {
		t.Error("it is not here, or something else is")
	}
	if _, _, err := s.Remove(t.Context(), []api.Digest{d}); err != nil || s.Has(d) {
		t.Errorf("it is here after it was removed, or not removed: %v", err)
	}
	other := noise(3, 5000)
	if err := s.Begin(indexOf(t, other)); err != nil || s.Has(api.Sum(other)) {
		t.Errorf("it is here before any of its chunks: %v", err)
	}
}
