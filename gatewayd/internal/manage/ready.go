package manage

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// Readiness answers /readyz.
type Readiness struct {
	Ready bool `json:"ready"`
	Bus   bool `json:"bus"`   // reachable
	Table bool `json:"table"` // the gateway knows all that runs, as the bus tells it
	// Daemons are "ready", or what the launcher says of them, or "silent": ready, as the
	// launcher has it, and without an answer on its socket.
	Daemons map[api.Daemon]api.DaemonState `json:"daemons"`
	Missing []string                       `json:"missing"` // what is, and what to do; empty when ready
}

// daemonSilent is said of a daemon that has reported ready and does not answer.
const daemonSilent api.DaemonState = "silent"

// ready answers /readyz: 200 once the node does all that it is for.
func (n Node) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	a := n.readiness(ctx)
	status := http.StatusOK
	if !a.Ready {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
	}
	local.WriteJSON(w, status, a)
}

func (n Node) readiness(ctx context.Context) Readiness {
	stopping := false
	h := judge(n.Connected(), func() (*api.PSReply, error) {
		ps, err := n.PS(ctx)
		stopping = err == nil && ps.Stopping
		return ps, err
	})
	a := Readiness{Bus: h.Bus, Table: n.Complete(), Daemons: h.Daemons, Missing: append([]string{}, h.Problems...)}
	if a.Daemons == nil {
		a.Daemons = map[api.Daemon]api.DaemonState{}
	}
	if !a.Table {
		a.Missing = append(a.Missing, "the gateway does not know yet what runs: it waits for the node's bus; see realm ps")
	}
	if stopping {
		a.Missing = append(a.Missing, "the node is stopping")
	}
	for d, err := range n.silent(ctx, h.Daemons) {
		a.Daemons[d] = daemonSilent
		a.Missing = append(a.Missing, fmt.Sprintf("%s does not answer (%v): see realm logs %s, or realm restart %s", d, err, d, d))
	}
	a.Ready = len(a.Missing) == 0
	return a
}

// silent asks all daemons that should be ready, side by side, for anything at all, and
// returns those that gave no answer. This one answers just now.
func (n Node) silent(ctx context.Context, states map[api.Daemon]api.DaemonState) map[api.Daemon]error {
	var mu sync.Mutex
	failed := map[api.Daemon]error{}
	var asked sync.WaitGroup
	for d, s := range states {
		if s != api.DaemonReady || d == api.Gatewayd {
			continue
		}
		asked.Go(func() {
			if err := n.touch(ctx, d); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed[d] = err
			}
		})
	}
	asked.Wait()
	return failed
}

// touch has d answer: that it knows no such path is as good as any other answer.
func (n Node) touch(ctx context.Context, d api.Daemon) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, local.URL(d, "/readyz"), nil)
	if err != nil {
		return err
	}
	resp, err := n.Client.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
