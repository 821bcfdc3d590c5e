package nodetest

import (
	"errors"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/bus"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/paths"
)

// Runnerd plays the part of runnerd that tells people where workloads run, on this node
// and, through meshd, on others.
type Runnerd struct {
	T    testing.TB
	Home paths.Home
	Conn *bus.Conn // as runnerd
	Self api.PeerID
	// Mesh, when set, is what meshd of the node answers with already.
	Mesh *http.ServeMux
	// Explain answers [api.SubjectExplain].
	Explain func(api.Ref) (api.ExplainReply, error)

	mu       sync.Mutex
	accounts map[api.PeerID]map[api.Ref]api.Account
}

// Serve answers the command line.
func (r *Runnerd) Serve() {
	Handle(r.T, r.Conn, api.SubjectExplain, func(b []byte) (any, error) {
		var q api.ExplainRequest
		if err := api.Decode(b, api.MaxMessage, &q); err != nil {
			return nil, err
		}
		return r.Explain(q.Ref)
	})
	here := http.NewServeMux()
	here.HandleFunc(api.RouteAccount, func(w http.ResponseWriter, q *http.Request) { r.answer(w, q, r.Self) })
	HTTP(r.T, r.Home, api.Runnerd, here)
	mesh := r.Mesh
	if mesh == nil {
		mesh = http.NewServeMux()
		HTTP(r.T, r.Home, api.Meshd, mesh)
	}
	mesh.HandleFunc("GET /peers/{peer}/"+string(api.ServiceNode)+"/workloads/{kind}/{name}", func(w http.ResponseWriter, q *http.Request) {
		r.answer(w, q, api.PeerID(q.PathValue("peer")))
	})
}

// Tell sets what a member answers about a workload; one that was told nothing about is
// not connected.
func (r *Runnerd) Tell(p api.PeerID, ref api.Ref, a api.Account) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.accounts == nil {
		r.accounts = map[api.PeerID]map[api.Ref]api.Account{}
	}
	if r.accounts[p] == nil {
		r.accounts[p] = map[api.Ref]api.Account{}
	}
	r.accounts[p][ref] = a
}

func (r *Runnerd) answer(w http.ResponseWriter, q *http.Request, p api.PeerID) {
	ref := api.Ref{Kind: api.Kind(q.PathValue("kind")), Name: api.Name(q.PathValue("name"))}
	lines, err := strconv.Atoi(q.URL.Query().Get("tail"))
	if err != nil || lines > api.MaxAccountLog {
		local.WriteError(w, http.StatusBadRequest, errors.New("tail is wrong"))
		return
	}
	r.mu.Lock()
	a, ok := r.accounts[p][ref]
	r.mu.Unlock()
	if !ok {
		w.Header().Set(api.HeaderNotAccepted, "1")
		local.WriteError(w, http.StatusServiceUnavailable, errors.New("the peer is not connected"))
		return
	}
	a.Log = a.Log[max(0, len(a.Log)-lines):]
	local.WriteJSON(w, http.StatusOK, a)
}
