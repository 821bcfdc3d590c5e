package catchup

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/meshd/internal/conduct"
)

// maxRequest is the largest request body: a full SyncFetch is about 140 KiB.
const maxRequest = 256 << 10

// Time that a peer has to send its request, and to take the answer.
const (
	readWithin  = 10 * time.Second
	writeWithin = time.Minute
)

// Work that requests are, in units of [conduct.SyncRequests].
const (
	costDigests = 1
	costEntries = 10
	costFetch   = 10
	costFacts   = 5
	costPeers   = 2
	costRecords = 5
)

// Facts is what members say of themselves.
type Facts interface {
	Full() api.FactBatch
	Members(limit int) []api.PeerFact
}

// Records is what members say of jobs.
type Records interface {
	Differing(*api.RecordParts) api.RecordBatch
}

// Server answers other members.
type Server struct {
	Ledger  *ledger.Ledger
	Facts   Facts
	Records Records
	Conduct *conduct.Book
	Now     func() time.Time // the node's clock
}

var errTooOften = errors.New("you ask too often: ask again in a minute")

// Handler serves the routes of [api.ServiceSync].
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range map[string]http.HandlerFunc{
		api.RouteSyncDigests: s.limited(costDigests, s.digests),
		api.RouteSyncEntries: s.limited(costEntries, s.entries),
		api.RouteSyncFetch:   s.limited(costFetch, s.fetch),
		api.RouteSyncRecords: s.limited(costRecords, s.records),
		api.RouteSyncFacts: s.limited(costFacts, func(w http.ResponseWriter, _ *http.Request) {
			local.WriteJSON(w, http.StatusOK, s.Facts.Full())
		}),
		api.RouteSyncPeers: s.limited(costPeers, func(w http.ResponseWriter, _ *http.Request) {
			local.WriteJSON(w, http.StatusOK, api.PeerList{Peers: s.Facts.Members(api.MaxPeerList)})
		}),
	} {
		mux.HandleFunc(pattern, h)
	}
	return mux
}

// limited answers peers that keep to their rate, and bounds the time of each answer.
func (s *Server) limited(cost int, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := peer.Decode(r.RemoteAddr)
		if err != nil {
			local.WriteError(w, http.StatusForbidden, err)
			return
		}
		if !s.Conduct.Allow(p, conduct.SyncRequests, cost, 0) {
			local.WriteError(w, http.StatusTooManyRequests, errTooOften)
			return
		}
		c, now := http.NewResponseController(w), time.Now()
		// What cannot have a deadline is no stream, but a test.
		_ = c.SetReadDeadline(now.Add(readWithin))
		_ = c.SetWriteDeadline(now.Add(writeWithin))
		next(w, r)
	}
}

func (s *Server) digests(w http.ResponseWriter, _ *http.Request) {
	d := s.Ledger.Digests()
	d.Now = s.Now().UTC()
	local.WriteJSON(w, http.StatusOK, d)
}

func (s *Server) entries(w http.ResponseWriter, r *http.Request) {
	var req api.SyncParts
	if readRequest(w, r, &req) {
		local.WriteJSON(w, http.StatusOK, api.SyncEntries{Entries: s.Ledger.Entries(req.Buckets)})
	}
}

func (s *Server) records(w http.ResponseWriter, r *http.Request) {
	var req api.RecordParts
	if readRequest(w, r, &req) {
		local.WriteJSON(w, http.StatusOK, s.Records.Differing(&req))
	}
}

// fetch answers with as much of what is asked for as fits.
func (s *Server) fetch(w http.ResponseWriter, r *http.Request) {
	var req api.SyncFetch
	if !readRequest(w, r, &req) {
		return
	}
	reply := api.SyncIntents{Envelopes: []json.RawMessage{}}
	size := 0
	for _, d := range req.Digests {
		env, ok := s.Ledger.Envelope(d)
		if !ok {
			continue
		}
		if size += len(env); size > maxEnvelopes && len(reply.Envelopes) > 0 {
			break
		}
		reply.Envelopes = append(reply.Envelopes, env)
	}
	local.WriteJSON(w, http.StatusOK, reply)
}

// maxEnvelopes is how many bytes of envelopes fit into an answer, with their commas.
const maxEnvelopes = api.MaxFetchBytes - api.MaxSyncFetch - 1024

// readRequest reads the body of a request; if it is not good it answers that.
func readRequest(w http.ResponseWriter, r *http.Request, v api.Validator) bool {
	body, err := api.ReadAll(r.Body, maxRequest)
	if err == nil {
		err = api.Decode(body, maxRequest, v)
	}
	if err != nil {
		local.WriteError(w, http.StatusBadRequest, err)
	}
	return err == nil
}
