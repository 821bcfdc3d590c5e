package node

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/realm-mesh/realm/internal/kit/vigil"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

// TestProbe asks a member that is there, several at once, and one that is not.
func TestProbe(t *testing.T) {
	all := mesh(t, meshtest.NewRealm(t), 2)
	var failed atomic.Int32
	done := make(chan struct{})
	for range 20 {
		go func() {
			if err := all[0].watch.Probe(t.Context(), all[1].host.ID()); err != nil {
				failed.Add(1)
			}
			done <- struct{}{}
		}()
	}
	for range 20 {
		<-done
	}
	if n := failed.Load(); n > 0 {
		t.Errorf("%d of 20 had no answer", n)
	}
	gone := all[1].host.ID()
	all[1].stop()
	if err := all[0].watch.Probe(t.Context(), gone); !errors.Is(err, vigil.ErrSilent) {
		t.Errorf("of one that has gone: %v", err)
	}
}
