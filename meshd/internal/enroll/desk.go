package enroll

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/meshd/internal/intents"
)

// maxRequest caps the body of a request, in bytes: a join has about 2 KiB.
const maxRequest = 32 << 10

// Keeper is where a member keeps intents; [*intents.Keeper] is one.
type Keeper interface {
	Ledger() *ledger.Ledger
	Accept(all []intent.Signed, by intents.Source) (ledger.Change, []error)
}

// DeskConfig says for whom a Desk speaks.
type DeskConfig struct {
	Key    ed25519.PrivateKey // of this member
	Keeper Keeper
	Host   host.Host // knows where guests come from
	Now    func() time.Time
	Peers  func() []api.PeerFact // members for the new one to dial
	Log    *slog.Logger
}

// Desk is where a member lets nodes in that show an invite: the handler of
// [api.ServiceEnroll]. It serves guests, and members: a joiner whose answer was lost
// asks again, and is one by then.
type Desk struct {
	cfg   DeskConfig
	queue *limiter
	mu    sync.Mutex // one at a time: the uses of an invite are counted
}

// NewDesk makes a Desk.
func NewDesk(cfg DeskConfig) *Desk { return &Desk{cfg: cfg, queue: newLimiter()} }

// Handler answers [api.RouteEnroll].
func (d *Desk) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(api.RouteEnroll, d.serve)
	return mux
}

func (d *Desk) serve(w http.ResponseWriter, r *http.Request) {
	id := api.PeerID(r.Header.Get(local.HeaderPeer))
	if !d.queue.allow(d.cfg.Host, id, time.Now()) {
		local.WriteError(w, http.StatusTooManyRequests, errors.New("too many nodes want to join at once: it is tried again in a while"))
		return
	}
	join, err := readJoin(r) //nolint:contextcheck // it computes, and waits for nothing
	if err != nil {
		local.WriteError(w, http.StatusBadRequest, fmt.Errorf("enroll: %w", err))
		return
	}
	reply, err := d.admit(id, join) //nolint:contextcheck // it waits for the disk alone
	if err != nil {
		d.cfg.Log.Info("a node is not let in", telemetry.KeyPeer, id, telemetry.Error(err))
		local.WriteError(w, status(err), err)
		return
	}
	local.WriteJSON(w, http.StatusOK, reply)
}

func readJoin(r *http.Request) (intent.Signed, error) {
	body, err := api.ReadAll(r.Body, maxRequest)
	if err != nil {
		return intent.Signed{}, err
	}
	var req api.EnrollRequest
	if err := api.Decode(body, maxRequest, &req); err != nil {
		return intent.Signed{}, err
	}
	return intent.Read(req.Join)
}

// Refusals.
var (
	errOther   = errors.New("the invite was used for another node than the one that asks")
	errRevoked = errors.New("the owner has revoked this node: it comes back when the owner admits it again, with realm peers admit")
	errKeep    = errors.New("this member cannot keep what it would have to: it is tried again in a while")
)

// status is how an error travels: [http.StatusGone] says that the invite is of no use
// any more, others that the same may go well later.
func status(err error) int {
	switch {
	case errors.Is(err, errKeep):
		return http.StatusServiceUnavailable
	case errors.Is(err, errRevoked), errors.Is(err, errOther):
		return http.StatusForbidden
	case errors.Is(err, ledger.ErrExpired), errors.Is(err, ledger.ErrForbidden), errors.Is(err, ledger.ErrRevoked):
		return http.StatusGone
	}
	return http.StatusForbidden
}

// admit makes the node a member that has shown join.
func (d *Desk) admit(id api.PeerID, join intent.Signed) (api.EnrollReply, error) {
	node, err := keys.OfPeer(id)
	if err != nil {
		return api.EnrollReply{}, err
	}
	if join.Name != api.KeyName(node.Key()) {
		return api.EnrollReply{}, errOther
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now, l := d.cfg.Now(), d.cfg.Keeper.Ledger()
	if m, ok := l.Member(node, now); ok && m.Standing == api.StandingRevoked {
		return api.EnrollReply{}, errRevoked
	}
	if err := d.learnInvite(join); err != nil {
		return api.EnrollReply{}, err
	}
	signed, err := l.Admit(join, d.cfg.Key, now)
	if err != nil {
		return api.EnrollReply{}, err
	}
	if change, errs := d.cfg.Keeper.Accept([]intent.Signed{signed}, intents.ByEnroll); errs[0] != nil {
		return api.EnrollReply{}, fmt.Errorf("%w: %w", errKeep, errs[0])
	} else if change.News() {
		d.cfg.Log.Info("a node has joined", telemetry.KeyPeer, id, "invite", join.By())
	}
	peers := d.cfg.Peers()
	return api.EnrollReply{Proof: l.Proof(node, now), Peers: peers[:min(len(peers), api.MaxPeerList)]}, nil
}

// learnInvite keeps the invite that has come with join, so that members know of it
// even if nobody gets in.
func (d *Desk) learnInvite(join intent.Signed) error {
	if join.Grant == nil {
		return nil
	}
	invite, err := intent.Read(join.Grant)
	if err != nil {
		return err
	}
	if invite.Kind != api.KindInvite || invite.Name != join.By() {
		return fmt.Errorf("%w: what came with it is not its invite", ledger.ErrUnauthorized)
	}
	// Why it is not taken, Admit says better; but for a disk that is full.
	_, errs := d.cfg.Keeper.Accept([]intent.Signed{invite}, intents.ByEnroll)
	known := []error{ledger.ErrUnauthorized, ledger.ErrForbidden, ledger.ErrRevoked, ledger.ErrOlder, ledger.ErrExpired, ledger.ErrRealm}
	if errs[0] != nil && !slices.ContainsFunc(known, func(k error) bool { return errors.Is(errs[0], k) }) {
		return fmt.Errorf("%w: %w", errKeep, errs[0])
	}
	return nil
}
