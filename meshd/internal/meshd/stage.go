package meshd

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/local"
)

// stage is what the node is for a time. It answers what the bus and the socket ask.
type stage interface {
	Status() api.MeshStatus
	Submit(ctx context.Context, envelope []byte) (api.Digest, error)
	SubmitAll(ctx context.Context, envelopes [][]byte) ([]api.Digest, error)
	Providers(ctx context.Context, blob api.Digest) ([]api.PeerID, error)
	Announce(r *api.AnnounceRequest)
	TellHoldings(t *api.TellHoldings)
	References(w http.ResponseWriter, r *http.Request) // serves [api.RouteReferences]
	Members(after api.PeerID) (api.MembersReply, error)
	History(ref api.Ref) (api.HistoryReply, error)
	Claim(ctx context.Context, r *api.ClaimNode) error
	Peers() http.Handler // serves [api.RoutePeer]
	Intents() int
}

// stage is the one that answers now. There is one before anybody can ask.
func (d *Daemon) stage() stage { return *d.now.Load() }

// waiting is a node that takes part in no realm yet.
type waiting struct{ status func() api.MeshStatus }

// why says what the node is, as an error.
func (w waiting) why() error {
	s := w.status()
	if s.Standing == api.StandingUnclaimed {
		return errors.New(s.Note)
	}
	return fmt.Errorf("this node is no member of its realm yet: %s", s.Note)
}

func (w waiting) Status() api.MeshStatus { return w.status() }

func (w waiting) Submit(context.Context, []byte) (api.Digest, error) {
	return api.Digest{}, w.why()
}

func (w waiting) SubmitAll(context.Context, [][]byte) ([]api.Digest, error) { return nil, w.why() }

func (w waiting) Providers(context.Context, api.Digest) ([]api.PeerID, error) {
	return []api.PeerID{}, nil
}

func (w waiting) Announce(*api.AnnounceRequest) {}

func (w waiting) TellHoldings(*api.TellHoldings) {}

// References answers for a node that belongs to nobody: nobody needs what it has. What
// the realm needs that it is about to join is not known yet.
func (w waiting) References(rw http.ResponseWriter, _ *http.Request) {
	if w.status().Standing != api.StandingUnclaimed {
		local.WriteError(rw, http.StatusServiceUnavailable, w.why())
		return
	}
	rw.Header().Set("Content-Type", "application/x-ndjson")
	rw.WriteHeader(http.StatusOK)
}

func (w waiting) Members(api.PeerID) (api.MembersReply, error) { return api.MembersReply{}, w.why() }

func (w waiting) History(api.Ref) (api.HistoryReply, error) { return api.HistoryReply{}, w.why() }

func (w waiting) Claim(context.Context, *api.ClaimNode) error { return w.why() }

func (w waiting) Peers() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set(api.HeaderNotAccepted, "1")
		local.WriteError(rw, http.StatusBadGateway, w.why())
	})
}

func (w waiting) Intents() int { return 0 }
