package enroll

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/keys"
	"github.com/realm-mesh/realm/internal/kit/ledger"
	"github.com/realm-mesh/realm/internal/kit/local"
	"github.com/realm-mesh/realm/internal/kit/telemetry"
	"github.com/realm-mesh/realm/meshd/internal/discovery"
	"github.com/realm-mesh/realm/meshd/internal/streams"
)

const (
	maxMet     = 64 // members that wait to be asked; more are met again
	asksAtOnce = 4
	askTimeout = 10 * time.Second
	askAgain   = time.Minute     // at a member that has refused for now
	askSoon    = 5 * time.Second // at one that is busy
	// askOthers is how long, after one member has found the invite to be of no use, others
	// have to find it good: clocks differ, and not all have heard the same.
	askOthers = 5 * time.Second
	maxReply  = 4 << 20 // bytes
)

// refusal is what a member has answered, or why its answer is none.
type refusal struct {
	text  string
	final bool      // the invite is of no use any more
	until time.Time // no question before
}

// meet has p asked. It does not block.
func (j *Joiner) meet(p peer.ID) {
	select {
	case j.met <- p:
	default: // it is dialled again
	}
}

// askAll asks whoever is met.
func (j *Joiner) askAll(ctx context.Context) (api.EnrollReply, error) {
	ctx, cancel := context.WithCancel(ctx)
	var asks sync.WaitGroup
	defer asks.Wait()
	defer cancel()
	slots, good := make(chan struct{}, asksAtOnce), make(chan api.EnrollReply, asksAtOnce)
	refused := make(chan struct{}, 1)
	var enough <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return api.EnrollReply{}, nil
		case reply := <-good:
			return reply, nil
		case <-refused:
			if enough == nil {
				enough = time.After(j.patience)
			}
		case <-enough:
			return api.EnrollReply{}, fmt.Errorf("%w: %s", ErrRefused, j.Note())
		case p := <-j.met:
			if j.leave(p) {
				_ = j.host.Network().ClosePeer(p) // what fails is closed already
				continue
			}
			asks.Go(func() {
				select {
				case slots <- struct{}{}:
				case <-ctx.Done():
					return
				}
				defer func() { <-slots }()
				j.tell(ctx, p, good, refused)
			})
		}
	}
}

// tell asks p, and says how that went.
func (j *Joiner) tell(ctx context.Context, p peer.ID, good chan<- api.EnrollReply, refused chan<- struct{}) {
	reply, err := j.ask(ctx, p)
	_ = j.host.Network().ClosePeer(p) // others want to be its guests, too
	if err == nil {
		select {
		case good <- reply:
		case <-ctx.Done():
		}
		return
	}
	if ctx.Err() != nil {
		return
	}
	j.cfg.Log.Info("a member does not let this node in", telemetry.KeyPeer, p, telemetry.Error(err))
	r := refusal{text: err.Error(), until: time.Now()} // it has gone, or lies; it is dialled again
	var no *local.StatusError
	if errors.As(err, &no) {
		r = refusal{text: no.Error(), final: no.Status == http.StatusGone, until: time.Now().Add(askAgain)}
		if no.Status == http.StatusServiceUnavailable || no.Status == http.StatusTooManyRequests {
			r.until = time.Now().Add(askSoon)
		}
	}
	j.mu.Lock()
	j.refusals[p] = r
	j.mu.Unlock()
	if r.final {
		select {
		case refused <- struct{}{}:
		default: // it is known
		}
	}
}

// ask asks one member, and checks that its answer makes this node one.
func (j *Joiner) ask(ctx context.Context, p peer.ID) (reply api.EnrollReply, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	path := strings.Fields(api.RouteEnroll)[1]
	err = local.Call(ctx, &http.Client{Transport: j.trips}, http.MethodPost, streams.URL(p, path), api.EnrollRequest{Join: j.join.Envelope}, &reply, maxReply)
	if err != nil {
		return reply, err
	}
	shown, err := ledger.EncodeProof(reply.Proof)
	if err != nil {
		return reply, fmt.Errorf("the answer of %s: %w", p, err)
	}
	if v := j.realm.Judge(keys.PublicOf(j.cfg.Key), shown, time.Now()); v.Standing != api.StandingMember {
		return reply, fmt.Errorf("the answer of %s makes this node no member: %w", p, v.Err)
	}
	return reply, nil
}

// leave reports whether p has refused not long ago.
func (j *Joiner) leave(p peer.ID) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	r, ok := j.refusals[p]
	return ok && time.Now().Before(r.until)
}

// Note says in words why the node is no member yet.
func (j *Joiner) Note() string {
	if p, r, ok := j.refused(); ok {
		return fmt.Sprintf("member %s does not let it in: %s", p, discovery.OneLine(r.text))
	}
	return "no member reached yet: " + j.finder.Tried()
}

// refused is the last refusal; one for good, where there is one.
func (j *Joiner) refused() (by peer.ID, last refusal, ok bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for p, r := range j.refusals {
		if by == "" || r.final && !last.final || r.final == last.final && r.until.After(last.until) {
			last, by = r, p
		}
	}
	return by, last, by != ""
}
