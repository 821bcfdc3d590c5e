package claim

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/internal/kit/trust"
	"github.com/realm-mesh/realm/meshd/internal/discovery"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// MaxWrong is how many wrong codes end the pairing.
const MaxWrong = 5

// maxRequest caps the body of a request, in bytes.
const maxRequest = 128 << 10

// Files are where a claimed node keeps whom it follows, what makes it a member, and
// members to dial.
type Files struct{ Pin, Membership, Book string }

// Desk waits for an owner.
type Desk struct {
	key     keys.Public // the node's
	files   Files
	code    string
	until   time.Time
	claimed chan struct{}
	log     *slog.Logger

	mu    sync.Mutex // one attempt at a time
	wrong int
	taken bool
}

// NewDesk draws a code that is good for so long.
func NewDesk(key ed25519.PrivateKey, files Files, window time.Duration, log *slog.Logger) *Desk {
	return &Desk{key: keys.PublicOf(key), files: files, code: newCode(), until: time.Now().Add(window), claimed: make(chan struct{}), log: log}
}

// Claimed is closed when the node has an owner.
func (d *Desk) Claimed() <-chan struct{} { return d.claimed }

// Pairing is how to claim the node; nil: it cannot be any more.
func (d *Desk) Pairing() *api.Pairing {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed() != nil {
		return nil
	}
	return &api.Pairing{Code: d.code, Until: d.until.UTC().Truncate(time.Second)}
}

// Judge lets everybody in as a guest while the node waits ([p2p.Config.Judge]).
func (d *Desk) Judge(peer.ID, []byte) p2p.Standing {
	if d.Pairing() == nil {
		return p2p.Stranger
	}
	return p2p.Guest
}

// Why nobody can claim the node any more.
var (
	errTaken = errors.New("this node has an owner already: realm reset there gives it up")
	errLate  = errors.New("this node does not wait for an owner any more, its time is over: start it again with realm up --tofu")
	errTries = errors.New("this node does not wait for an owner any more, after too many wrong codes: start it again with realm up --tofu")
)

// closed reports why the pairing is over. The caller holds mu.
func (d *Desk) closed() error {
	switch {
	case d.taken:
		return errTaken
	case d.wrong >= MaxWrong:
		return errTries
	case !time.Now().Before(d.until):
		return errLate
	}
	return nil
}

// Handler answers [api.RouteClaim].
func (d *Desk) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(api.RouteClaim, d.serve)
	return mux
}

func (d *Desk) serve(w http.ResponseWriter, r *http.Request) {
	var req api.ClaimRequest
	body, err := api.ReadAll(r.Body, maxRequest)
	if err == nil {
		err = api.Decode(body, maxRequest, &req)
	}
	if err != nil {
		local.WriteError(w, http.StatusBadRequest, fmt.Errorf("claim: %w", err))
		return
	}
	if status, err := d.claim(&req); err != nil {
		d.log.Warn("somebody could not claim this node", "from", r.Header.Get(local.HeaderPeer), telemetry.Error(err))
		local.WriteError(w, status, err)
		return
	}
	local.WriteJSON(w, http.StatusOK, api.Empty{})
}

// claim gives the node to who knows the code. The status goes with an error.
func (d *Desk) claim(req *api.ClaimRequest) (status int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.closed(); err != nil {
		return http.StatusGone, err
	}
	if !equal(req.Code, d.code) {
		d.wrong++
		if err := d.closed(); err != nil {
			return http.StatusForbidden, fmt.Errorf("the code is wrong, and that was the last try: %w", err)
		}
		return http.StatusForbidden, fmt.Errorf("the code is wrong: the node prints it (realm up --tofu); tries that are left: %d", MaxWrong-d.wrong)
	}
	pin, err := d.follow(req)
	if err != nil {
		return http.StatusBadRequest, fmt.Errorf("claim: %w", err)
	}
	if err := d.keep(pin, req); err != nil {
		if errors.Is(err, fs.ErrExist) {
			d.taken = true
			return http.StatusGone, errTaken
		}
		return http.StatusInternalServerError, err
	}
	d.taken = true
	close(d.claimed)
	d.log.Info("this node has an owner now", "owner", pin.Owner.String(), "realm", pin.Realm)
	return 0, nil
}

// follow is whom the node is to follow, if what came with that makes it a member there.
func (d *Desk) follow(req *api.ClaimRequest) (trust.Pin, error) {
	owner, err := api.ParseKeyName(req.Owner)
	if err != nil {
		return trust.Pin{}, err
	}
	pin := trust.Pin{Realm: req.Realm, Owner: keys.Public(owner)}
	shown, err := ledger.EncodeProof(req.Proof)
	if err != nil {
		return trust.Pin{}, err
	}
	if v := ledger.New(pin).Judge(d.key, shown, time.Now()); v.Standing != api.StandingMember {
		return trust.Pin{}, fmt.Errorf("what was signed does not make this node a member of realm %s: %w", pin.Realm, v.Err)
	}
	return pin, nil
}

// keep writes what makes the node a member, and last whom it follows: with that file
// it is claimed.
func (d *Desk) keep(pin trust.Pin, req *api.ClaimRequest) error {
	if _, err := os.Lstat(d.files.Pin); err == nil {
		return fmt.Errorf("claim: %w", fs.ErrExist)
	}
	var members []peer.AddrInfo
	for _, a := range req.Addrs {
		if found, err := p2p.ParseBootstrap([]string{a}); err == nil {
			members = append(members, found...)
		}
	}
	if err := discovery.Remember(d.files.Book, members, time.Now()); err != nil {
		return err
	}
	if err := trust.WriteMembership(d.files.Membership, req.Proof); err != nil {
		return err
	}
	return pin.Create(d.files.Pin)
}
