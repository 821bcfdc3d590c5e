package runnerd

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/runnerd/internal/secrets"
)

// secretPeers are the members that this node knows, as far as it matters to secrets. It is
// safe for use by several goroutines.
type secretPeers struct {
	jobPeers
	self api.PeerID

	mu  sync.Mutex
	all map[api.PeerID]api.PeerRecord
}

func newSecretPeers(self api.PeerID, client *http.Client) *secretPeers {
	return &secretPeers{jobPeers: jobPeers{client}, self: self, all: map[api.PeerID]api.PeerRecord{}}
}

func (s *secretPeers) record(rec api.PeerRecord) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all[rec.Peer] = rec
}

func (s *secretPeers) gone(p api.PeerID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, p)
}

// Up implements [secrets.Peers].
func (s *secretPeers) Up(want []api.PeerID) (out []api.PeerID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p, rec := range s.all {
		if p != s.self && rec.Connected && !rec.Client && !rec.IsDown(api.Runnerd) {
			out = append(out, p)
		}
	}
	rank := func(p api.PeerID) int {
		if slices.Contains(want, p) {
			return 0
		}
		return 1
	}
	slices.SortFunc(out, func(a, b api.PeerID) int { return cmp.Or(rank(a)-rank(b), cmp.Compare(a, b)) })
	return out
}

// Roles implements [secrets.Peers].
func (s *secretPeers) Roles(p api.PeerID) (own []string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec, known := s.all[p]
	return rec.Roles, known && !rec.Client && len(rec.Conflict) == 0
}

// Ask implements [secrets.Peers].
func (s *secretPeers) Ask(ctx context.Context, p api.PeerID, a *api.SecretAsk) (*api.SecretGiven, error) {
	out := new(api.SecretGiven)
	return out, s.post(ctx, p, api.PathSecretKey, a, out)
}

// serveSecretKey answers members that ask for keys of secrets.
func serveSecretKey(d *secrets.Desk) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from, err := api.ParsePeerID(r.Header.Get(local.HeaderPeer))
		if err != nil {
			local.WriteError(w, http.StatusForbidden, errors.New("members ask this, by meshd"))
			return
		}
		ask := new(api.SecretAsk)
		body, err := api.ReadAll(r.Body, api.MaxMessage)
		if err == nil {
			err = api.Decode(body, api.MaxMessage, ask)
		}
		if err != nil {
			local.WriteError(w, http.StatusBadRequest, err)
			return
		}
		given, err := d.Answer(from, ask)
		if err != nil {
			local.WriteError(w, http.StatusForbidden, err)
			return
		}
		local.WriteJSON(w, http.StatusOK, given)
	}
}
