package forward

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/gatewayd/internal/route"
)

const maxRefusal = 64 << 10 // bytes of a refusal that are kept

// delivery is one request on its way.
type delivery struct {
	*Sender
	ref     api.Ref
	req     *http.Request
	body    *replay
	repeats int // how often it may break off yet, and be sent again

	answer *http.Response // of the member that took it; else the last refusal
	none   bool           // that was because there is no such program there
	broken error          // how the last attempt broke off that may have been acted on
	stale  error          // how the last attempt met a connection that was closed before
	away   string         // which daemon of this node could not be reached, in words
}

// verdict is how an attempt ended.
type verdict int

const (
	taken   verdict = iota // there is an answer
	refused                // it was not acted on, or that does no harm: ask the next
	absent                 // the daemon of this node that leads there is away
	failed                 // it must not be sent again
)

// run tries every member in turn, again and again, until one takes the request or
// patience ends. Without an error there is an answer.
func (d *delivery) run(ctx context.Context) error {
	var patience <-chan time.Time // begins with the first wait
	pause := firstPause
	for {
		table, changed := d.live.Now()
		switch v, err := d.round(table); { //nolint:contextcheck // that of the request, which delivery has
		case v == taken:
			return nil
		case v == failed:
			return err
		case table.Complete() && !d.mayCome(table):
			return d.end(table)
		}
		if patience == nil {
			t := time.NewTimer(Patience)
			defer t.Stop()
			patience = t.C
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-patience:
			return d.end(table)
		case <-changed:
		case <-time.After(pause):
			pause = min(2*pause, longestPause)
		}
	}
}

// mayCome reports whether waiting makes sense after a round in which nobody took it.
func (d *delivery) mayCome(t *route.Table) bool {
	if d.answer != nil && d.answer.StatusCode < http.StatusInternalServerError && !d.none {
		return false // the request itself is at fault
	}
	return t.Hopeful(d.ref) || t.LeftLately(d.ref, time.Now())
}

// end is what the caller is told when nobody took the request. A refusal is an answer.
func (d *delivery) end(t *route.Table) error {
	switch {
	case d.broken != nil:
		return d.broken
	case d.answer != nil:
		return nil
	case !t.Complete():
		return &UnavailableError{d.ref, "this node has only just started and does not know the mesh yet", true}
	case len(t.Replicas(d.ref)) == 0 && t.LeftLately(d.ref, time.Now()):
		return &UnavailableError{d.ref, "the members that run it left a moment ago: see realm peers", true}
	case len(t.Replicas(d.ref)) == 0:
		return &UnknownError{d.ref}
	case d.away != "":
		return &UnavailableError{d.ref, d.away, true}
	}
	return &UnavailableError{d.ref, standing(t, d.ref), t.Hopeful(d.ref)}
}

// standing says in words how the members stand with a workload that answers nowhere.
func standing(t *route.Table, ref api.Ref) string {
	all := t.Replicas(ref)
	words := make([]string, 0, 4)
	for _, r := range all[:min(len(all), cap(words)-1)] {
		where := "member " + r.Peer.Short()
		if r.Peer == t.Self() {
			where = "this node"
		}
		word := fmt.Sprintf("%s on %s", r.State, where)
		if r.Reason != "" {
			word += " (" + r.Reason + ")"
		}
		words = append(words, word)
	}
	if more := len(all) - len(words); more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(words, ", ") + ": see realm status"
}

// round asks this node and then others, once each.
func (d *delivery) round(t *route.Table) (v verdict, err error) {
	v = refused
	if t.Here(d.ref) {
		if v, err = d.try(api.Runnerd, t.Self()); v == taken || v == failed {
			return v, err
		}
	}
	others := d.balance.order(t.Elsewhere(d.ref), time.Now())
	for _, p := range others[:min(len(others), maxElsewhere)] {
		if v, err = d.try(api.Meshd, p); v != refused {
			return v, err
		}
	}
	return v, nil
}

// try sends the request to peer through the socket of a daemon of this node.
func (d *delivery) try(through api.Daemon, peer api.PeerID) (verdict, error) {
	if d.pulse.stopped(through, time.Now()) {
		d.away = fmt.Sprintf("%s of this node does not answer at all: see realm ps", through)
		return absent, nil
	}
	body, whole := d.body.next()
	if !whole {
		return d.spent()
	}
	done := func(outcome, time.Time) bool { return false }
	if through == api.Meshd {
		done = d.balance.begin(peer, time.Now())
	}
	asks(d.req.Context(), peer)
	out := d.addressed(through, peer, body)
	ctx, span := d.tracer.Call(out.Context(), "attempt")
	if span != nil {
		out.Header = out.Header.Clone()
		span.Into(ctx, out.Header)
		span.Set("realm.through", string(through))
		span.Set("realm.peer", string(peer))
	}
	resp, err := d.transport.RoundTrip(out)
	if err == nil && resp.Header.Get(api.HeaderInterrupted) != "" {
		err = interruption(resp)
	}
	took := err == nil && resp.Header.Get(api.HeaderNotAccepted) == ""
	span.Set("realm.taken", strconv.FormatBool(took))
	span.Fail(err)
	span.End()
	d.tried(Try{Here: through == api.Runnerd, Taken: took, Ejected: done(d.outcome(resp, err), time.Now())})
	switch {
	case took:
		d.answer = resp
		return taken, nil
	case err == nil:
		d.none = resp.Header.Get(api.HeaderNotAccepted) == api.NotAcceptedUnknown
		d.answer, err = putAside(resp) //nolint:bodyclose // it has been read, and is closed
		if err == nil {
			return refused, nil
		}
	case d.req.Context().Err() != nil:
		return failed, err
	case closedIdle(err):
		d.stale = &InterruptedError{d.ref, peer, err}
		return d.try(through, peer) // there are only so many connections that can be stale
	case notDialled(err):
		d.away = fmt.Sprintf("%s of this node cannot be reached; it may be starting again: see realm ps", through)
		return absent, nil
	}
	if fault := d.body.failure(); fault != nil {
		return failed, &BodyError{fault}
	}
	d.broken = &InterruptedError{d.ref, peer, err}
	d.forget() // where one connection broke others have, that nobody has used since
	if d.repeats > 0 && d.balance.repeat() {
		d.repeats--
		return refused, nil
	}
	return failed, d.broken
}

// outcome is what an attempt through meshd says of the member.
func (d *delivery) outcome(resp *http.Response, err error) outcome {
	switch {
	case err == nil && (resp.Header.Get(api.HeaderNotAccepted) == "" || resp.StatusCode != http.StatusBadGateway):
		return answered
	case err != nil && (d.req.Context().Err() != nil || d.body.failure() != nil || notDialled(err) || closedIdle(err)):
		return left // it has not been asked, or nobody waited for what it says
	}
	return lost
}

// spent ends a request whose body cannot be given in full once more.
func (d *delivery) spent() (verdict, error) {
	switch {
	case d.answer != nil:
		return taken, nil // the refusal
	case d.broken != nil:
		return failed, d.broken
	}
	return failed, d.stale
}

// addressed is the request as the member gets it, through a daemon of this node.
func (d *delivery) addressed(through api.Daemon, peer api.PeerID, body io.ReadCloser) *http.Request {
	u := *d.req.URL
	u.Scheme, u.Host = "http", string(through)
	if through == api.Meshd {
		u.Path = api.PathPeer(peer, api.ServiceCall, u.Path)
		if u.RawPath != "" {
			u.RawPath = api.PathPeer(peer, api.ServiceCall, u.RawPath)
		}
	}
	r := *d.req // shallow: trailers come while the body is read
	r.URL, r.Body, r.RequestURI = &u, body, ""
	r.GetBody = func() (io.ReadCloser, error) {
		again, whole := d.body.next()
		if !whole {
			return nil, errors.New("too much of the body has gone")
		}
		return again, nil
	}
	return &r
}

// interruption is what meshd says of a request that broke off behind it.
func interruption(r *http.Response) error {
	var reply api.ErrorReply
	b, err := io.ReadAll(io.LimitReader(r.Body, maxRefusal))
	if err = errors.Join(err, r.Body.Close()); err == nil {
		err = api.Decode(b, maxRefusal, &reply)
	}
	if err != nil {
		return fmt.Errorf("read why it broke off: %w", err)
	}
	return errors.New(reply.Error)
}

// putAside reads a refusal, so that its connection is free for others.
func putAside(r *http.Response) (*http.Response, error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, maxRefusal))
	if err = errors.Join(err, r.Body.Close()); err != nil {
		return nil, fmt.Errorf("read a refusal: %w", err)
	}
	r.Header.Del(api.HeaderNotAccepted)
	r.Header.Set("Content-Length", strconv.Itoa(len(b)))
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(b)), int64(len(b)), nil
	return r, nil
}
