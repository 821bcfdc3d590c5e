package jobs

import (
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
)

// TestLetGo: runs whose records are gone, since there were too many, are not executed
// again, also not by a member that was started anew.
func TestLetGo(t *testing.T) {
	inRealm(t, 3, func(t *testing.T, r *realm) {
		root := r.submit("all-1", api.Job{Parallelism: 20})
		time.Sleep(8 * time.Second)
		for _, m := range r.nodes {
			m.mu.Lock()
			keys := m.bucket
			m.bucket = map[string][]byte{}
			m.mu.Unlock()
			if len(keys) != 20 {
				t.Errorf("%d records", len(keys))
			}
			for key := range keys {
				m.Manager.Forget(key)
			}
		}
		for restart := range 2 {
			time.Sleep(time.Minute)
			if st := r.state(root); st.State != api.JobSucceeded || st.Runs.Succeeded != 20 || len(r.begun) != 20 {
				t.Errorf("%s, %+v: %d begun, after a restart: %d", st.State, st.Runs, len(r.begun), restart)
			}
			for _, m := range r.nodes {
				m.end()
				m.boot()
			}
			r.seen()
		}
	})
}
