package catchup

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/meshd/internal/intents"
)

// maxRequest is the largest request body: a full SyncFetch is about 30 KiB.
const maxRequest = 64 << 10

// Ledger is where intents come from and go to. [*intents.Ledger] is one, but for Accept.
type Ledger interface {
	Summary() []api.SyncEntry
	Wanted([]api.SyncEntry) []api.Ref
	Envelope(context.Context, api.Ref) ([]byte, error)
}

// Facts is what members say of themselves.
type Facts interface {
	Full() api.FactBatch
	Members(limit int) []api.PeerFact
}

// Handler answers other members.
func Handler(ledger Ledger, facts Facts) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(api.RouteSyncSummary, func(w http.ResponseWriter, _ *http.Request) {
		local.WriteJSON(w, http.StatusOK, api.SyncSummary{Entries: ledger.Summary()})
	})
	mux.HandleFunc(api.RouteSyncFetch, func(w http.ResponseWriter, r *http.Request) { serveFetch(w, r, ledger) })
	mux.HandleFunc(api.RouteSyncFacts, func(w http.ResponseWriter, _ *http.Request) {
		local.WriteJSON(w, http.StatusOK, facts.Full())
	})
	mux.HandleFunc(api.RouteSyncPeers, func(w http.ResponseWriter, _ *http.Request) {
		local.WriteJSON(w, http.StatusOK, api.PeerList{Peers: facts.Members(api.MaxPeerList)})
	})
	return mux
}

func serveFetch(w http.ResponseWriter, r *http.Request, ledger Ledger) {
	body, err := api.ReadAll(r.Body, maxRequest)
	var req api.SyncFetch
	if err == nil {
		err = api.Decode(body, maxRequest, &req)
	}
	if err != nil {
		local.WriteError(w, http.StatusBadRequest, err)
		return
	}
	reply := api.SyncIntents{Envelopes: []json.RawMessage{}}
	for _, ref := range req.Refs {
		env, err := ledger.Envelope(r.Context(), ref)
		switch {
		case errors.Is(err, intents.ErrNotFound):
		case err != nil:
			local.WriteError(w, http.StatusServiceUnavailable, err)
			return
		default:
			reply.Envelopes = append(reply.Envelopes, env)
		}
	}
	local.WriteJSON(w, http.StatusOK, reply)
}
