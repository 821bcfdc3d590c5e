package public

import (
	"net/http"
	"slices"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/route"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// functions answers [api.RouteFunctions].
func (h *Handler) functions(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	t, _ := h.live.Now()
	reply := api.FunctionsReply{Functions: []api.FunctionStatus{}}
	for _, ref := range t.Refs() {
		if ref.Kind == api.KindFunction {
			reply.Functions = append(reply.Functions, functionStatus(t, ref))
		}
	}
	list(w, reply)
}

// peers answers [api.RoutePeers].
func (h *Handler) peers(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	t, _ := h.live.Now()
	list(w, api.PeersReply{Peers: append([]api.PeerStatus{}, t.Members()...)})
}

// list answers with what is so now.
func list(w http.ResponseWriter, v any) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	local.WriteJSON(w, http.StatusOK, v)
}

func functionStatus(t *route.Table, ref api.Ref) api.FunctionStatus {
	s := api.FunctionStatus{Name: ref.Name, Peers: []api.PeerID{}}
	if t.Here(ref) {
		s.Peers = append(s.Peers, t.Self())
	}
	for _, m := range t.Elsewhere(ref) {
		s.Peers = append(s.Peers, m.Peer)
	}
	for _, p := range t.Replicas(ref) {
		if !slices.Contains(s.Peers, p.Peer) {
			if s.Others == nil {
				s.Others = map[api.State]int{}
			}
			s.Others[p.State]++
		}
	}
	return s
}
