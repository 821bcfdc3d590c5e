package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// Verdict is what a node is that wants to connect.
type Verdict struct {
	Standing api.Standing // "" for a stranger
	Until    time.Time    // of a client; zero: no end
	Learned  []intent.Signed
	Err      error // why it is neither member nor client
}

// Judge says what the node with this key is, by what is held and by the proof that
// it shows. Learned is what of the proof is news and can be added.
func (l *Ledger) Judge(node keys.Public, proof []byte, now time.Time) Verdict {
	m, known := l.Member(node, now)
	if known && m.Standing == api.StandingMember {
		return Verdict{Standing: api.StandingMember}
	}
	shown, err := l.shown(proof)
	v := Verdict{Err: err}
	if err == nil {
		v = l.judge(node, shown, now)
	}
	switch {
	case v.Standing != "":
	case known:
		v.Standing = api.StandingRevoked
	case err == nil && len(shown) == 0:
		v.Standing, v.Err = api.StandingPending, errors.New("it waits to be admitted")
	}
	return v
}

// shown reads a proof. It does not look further than to the first thing that is wrong
// with it: who has made it is not known, and signatures cost time.
func (l *Ledger) shown(proof []byte) (out []intent.Signed, err error) {
	p, err := DecodeProof(proof)
	if err != nil {
		return nil, err
	}
	if p.Realm != l.pin.Realm {
		return nil, fmt.Errorf("%w: %s, this node is of %s", ErrRealm, p.Realm, l.pin.Realm)
	}
	for _, e := range p.Intents {
		s, err := intent.Read(e)
		switch {
		case err != nil:
			return nil, fmt.Errorf("read proof: %w", err)
		case s.Realm != l.pin.Realm:
			return nil, fmt.Errorf("read proof: %w: %s", ErrRealm, s.Realm)
		case !s.Kind.Trust():
			return nil, fmt.Errorf("read proof: %w: a %s makes nobody a member", ErrForbidden, s.Kind)
		}
		out = append(out, s)
	}
	return out, nil
}

func (l *Ledger) judge(node keys.Public, shown []intent.Signed, now time.Time) Verdict {
	l.mu.Lock()
	scratch := l.around(shown)
	l.mu.Unlock()
	c, errs := scratch.addAll(shown, now, false)
	m, ok := scratch.roster.all[node]
	switch {
	case ok && m.Standing == api.StandingMember:
		return Verdict{Standing: api.StandingMember, Learned: l.unknown(c.Added)}
	case ok:
		return Verdict{Standing: api.StandingRevoked, Err: fmt.Errorf("%w: the owner has revoked its membership", ErrRevoked)}
	}
	for i, s := range shown {
		if s.Ref != refMember(node) || s.Tombstone {
			continue
		}
		with := batch{state: scratch, now: now}
		with.attached(s, ErrUnauthorized)
		until, err := scratch.client(s, now)
		if err == nil {
			return Verdict{Standing: api.StandingClient, Until: until}
		}
		if _, err := scratch.joining(s); err == nil {
			return Verdict{Standing: api.StandingJoining}
		}
		if errors.Is(errs[i], ErrClient) {
			errs[i] = err
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Verdict{Err: err}
	}
	return Verdict{Err: errors.New("nothing that it shows makes it a member")}
}

// unknown are those of all that are not held.
func (l *Ledger) unknown(all []intent.Signed) []intent.Signed {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(all, func(s intent.Signed) bool {
		_, held := l.byDigest[s.Digest]
		return held
	})
}

// around is a set that knows of l what intents, and what comes with them, depend on.
func (l *state) around(intents []intent.Signed) *state {
	s := &New(l.pin).state
	s.path = append(s.path, l.path...)
	for k, i := range l.retired {
		s.retired[k] = i
	}
	s.settled, s.chief = l.settled, l.chief
	s.roster.assumed = map[keys.Public]bool{}
	about := func(k keys.Public) {
		for _, kind := range []api.Kind{api.KindGrant, api.KindInvite, api.KindMember} {
			s.copy(l, api.Ref{Kind: kind, Name: api.KeyName(k.Key())})
		}
	}
	for _, in := range intents {
		about(in.Signer)
		if k := keyOf(in.Ref); !k.IsZero() {
			about(k)
		}
		if w := in.Witness; w != nil {
			about(w.By)
			if l.roster.member(w.By) {
				s.roster.assumed[w.By] = true
			}
		}
	}
	s.copy(l, refSettle)
	for _, r := range l.path {
		s.insert(r)
	}
	s.roster.stale = true
	s.refresh()
	s.events = nil
	return s
}

// copy takes over what from says of ref.
func (l *state) copy(from *state, ref api.Ref) {
	for _, k := range from.byRef[ref] {
		for _, s := range from.slots[Slot{Ref: ref, Signer: k}] {
			if _, held := l.byDigest[s.Digest]; !held {
				l.insert(s)
			}
		}
	}
}

// client reports until when s makes its node a client.
func (l *state) client(s intent.Signed, now time.Time) (until time.Time, err error) {
	var m api.Membership
	if err := json.Unmarshal(s.Body, &m); err != nil {
		return until, err
	}
	until = m.Expires
	switch {
	case until.IsZero(), s.Witness != nil:
		return until, fmt.Errorf("%w: it is no client's", ErrForbidden)
	case !now.Before(until):
		return until, fmt.Errorf("%w: at %s", ErrExpired, until.Format(time.RFC3339))
	case until.After(now.Add(api.MaxClient + MaxAhead)):
		return until, fmt.Errorf("%w: a client's membership is for %s at most", ErrForbidden, api.MaxClient)
	case s.Signer == l.owner():
		return until, nil
	case l.owns(s.Signer):
		return until, fmt.Errorf("%w: the owner has a new key since", ErrRevoked)
	}
	g, err := l.grantOf(s.Signer)
	if err != nil {
		return until, err
	}
	if !g.Expires.IsZero() && g.Expires.Before(until) {
		until = g.Expires
	}
	if !now.Before(until) {
		return until, fmt.Errorf("%w: the grant of its signer ended at %s", ErrExpired, until.Format(time.RFC3339))
	}
	return until, nil
}
