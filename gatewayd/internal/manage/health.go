package manage

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// Health answers /healthz.
type Health struct {
	OK       bool                           `json:"ok"`
	Bus      bool                           `json:"bus"` // reachable
	Daemons  map[api.Daemon]api.DaemonState `json:"daemons,omitempty"`
	Problems []string                       `json:"problems,omitempty"` // what is not as it should be, and what to do
}

// askTimeout is how long one daemon, or the launcher, has to answer.
const askTimeout = time.Second

func (n Node) health(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), askTimeout)
	defer cancel()
	h := judge(n.Connected(), func() (*api.PSReply, error) { return n.PS(ctx) })
	status := http.StatusOK
	if !h.OK {
		status = http.StatusServiceUnavailable
	}
	local.WriteJSON(w, status, h)
}

// judge says whether a node is healthy, by what its launcher tells.
func judge(connected bool, ps func() (*api.PSReply, error)) Health {
	h := Health{Bus: connected}
	if !connected {
		h.Problems = append(h.Problems, "the node's bus is not reachable: see realm ps")
		return h
	}
	reply, err := ps()
	if err != nil {
		h.Problems = append(h.Problems, fmt.Sprintf("the launcher does not answer (%v): see realm ps", err))
		return h
	}
	h.Daemons = map[api.Daemon]api.DaemonState{}
	for _, d := range reply.Daemons {
		h.Daemons[d.Daemon] = d.State
		if d.State != api.DaemonReady {
			h.Problems = append(h.Problems, problem(d))
		}
	}
	for _, d := range api.Daemons() {
		if _, ok := h.Daemons[d]; !ok {
			h.Problems = append(h.Problems, fmt.Sprintf("%s is not known to the launcher: see realm ps", d))
		}
	}
	h.OK = len(h.Problems) == 0
	return h
}

func problem(d api.DaemonStatus) string {
	why := ""
	if d.Reason != "" {
		why = " (" + d.Reason + ")"
	}
	return fmt.Sprintf("%s is %s%s: see realm logs %s", d.Daemon, d.State, why, d.Daemon)
}
