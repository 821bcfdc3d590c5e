package jobs

import (
	"errors"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// TestUnsigned: what cannot be recorded is not begun. Nobody would hear of it, and the next
// plan would have it begun once more.
func TestUnsigned(t *testing.T) {
	inRealm(t, 1, func(t *testing.T, r *realm) {
		m, sign := r.nodes[0], r.nodes[0].cfg.Sign
		m.mu.Lock()
		m.Manager.mu.Lock()
		m.cfg.Sign = func(api.JobRecord) ([]byte, error) { return nil, errors.New("the key cannot be read") }
		m.Manager.mu.Unlock()
		m.mu.Unlock()
		r.program = func(x *execution) Change { return x.sleep(time.Minute) }
		root := r.submit("all-1", api.Job{})
		time.Sleep(20 * time.Second)
		if n := len(r.begun); n != 0 {
			t.Errorf("%d begun", n)
		}
		m.Manager.mu.Lock()
		m.cfg.Sign = sign
		m.Manager.mu.Unlock()
		time.Sleep(2 * time.Minute)
		if st := r.state(root); st.State != api.JobSucceeded || len(r.begun) != 1 {
			t.Errorf("%s: %d begun", st.State, len(r.begun))
		}
	})
}
