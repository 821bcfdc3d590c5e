package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// ErrClient: a membership for a time is shown in the handshake, and kept by nobody.
var ErrClient = errors.New("the membership of a client is not kept")

// roster is who is a member, as the intents say; made again when they change.
type roster struct {
	stale bool
	until time.Time // when an intent that does not count yet will; zero: never
	made  bool
	all   map[keys.Public]api.Member
}

// checkMember reports why a membership is not to be held. Whether the countersigning
// node is a member itself is asked later, when the roster is made: it may become
// known later.
func (l *Ledger) checkMember(s intent.Signed) error {
	var m api.Membership
	if !s.Tombstone {
		if err := json.Unmarshal(s.Body, &m); err != nil {
			return fmt.Errorf("%w: %w", ErrForbidden, err)
		}
	}
	if !m.Expires.IsZero() {
		return ErrClient
	}
	if s.Signer == l.owner() {
		return nil
	}
	invite, err := l.inviteOf(s.Signer)
	if err != nil {
		return err
	}
	switch w := s.Witness; {
	case s.Tombstone || s.Seq != 1 || len(m.Roles) > 0:
		return fmt.Errorf("%w: an invite lets nodes in, and nothing else", ErrForbidden)
	case w == nil:
		return fmt.Errorf("%w: no member has countersigned", ErrUnauthorized)
	case api.KeyName(w.By.Key()) == s.Name:
		return fmt.Errorf("%w: a node does not let itself in", ErrForbidden)
	case w.At.After(invite.Expires):
		return fmt.Errorf("%w: the invite ended at %s, and the node came at %s", ErrExpired, invite.Expires.Format(time.RFC3339), w.At.Format(time.RFC3339))
	case len(l.bySigner[s.Signer]) >= api.MaxUses && len(l.slots[s.Slot()]) == 0:
		return fmt.Errorf("%w: an invite lets in %d nodes at most", ErrForbidden, api.MaxUses)
	}
	return nil
}

// Members lists who is, or was, a member at now, in the order of peer ids.
func (l *Ledger) Members(now time.Time) []api.Member {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refresh(now)
	out := make([]api.Member, 0, len(l.roster.all))
	for _, m := range l.roster.all {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b api.Member) int { return strings.Compare(string(a.Peer), string(b.Peer)) })
	return out
}

// Member is how the node with this key stands at now; false where no intent speaks of it.
func (l *Ledger) Member(node keys.Public, now time.Time) (api.Member, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.member(node, now)
}

func (l *Ledger) member(node keys.Public, now time.Time) (api.Member, bool) {
	l.refresh(now)
	m, ok := l.roster.all[node]
	return m, ok
}

// refresh makes the roster: first whom the owner has admitted or revoked, then, as
// long as there are more, whom a member has countersigned.
func (l *Ledger) refresh(now time.Time) {
	r := &l.roster
	if r.made && !r.stale && (r.until.IsZero() || now.Before(r.until)) {
		return
	}
	*r = roster{made: true, all: map[keys.Public]api.Member{}}
	var waiting []keys.Public
	for ref := range l.byRef {
		if ref.Kind != api.KindMember {
			continue
		}
		pub, err := api.ParseKeyName(ref.Name)
		if err != nil {
			continue // check has seen to that
		}
		node := keys.Public(pub)
		if m, ok := l.admitted(node, ref, now); ok {
			r.all[node] = m
		} else {
			waiting = append(waiting, node)
		}
	}
	for again := true; again; {
		again = false
		waiting = slices.DeleteFunc(waiting, func(node keys.Public) bool {
			m, ok := l.joined(node, now)
			if ok {
				r.all[node], again = m, true
			}
			return ok
		})
	}
}

// admitted is what the owner says of a node; false for nothing.
func (l *Ledger) admitted(node keys.Public, ref api.Ref, now time.Time) (api.Member, bool) {
	slot, ok := l.ownerSlot(ref)
	if !ok {
		return api.Member{}, false
	}
	for _, s := range l.slots[slot] {
		l.wake(s, now)
	}
	s, ok := l.top(slot, now)
	if !ok {
		return api.Member{}, false
	}
	m := api.Member{Peer: keys.Peer(node.Key()), Standing: api.StandingMember, By: "owner", Since: s.Issued}
	if s.Tombstone {
		m.Standing = api.StandingRevoked
		return m, true
	}
	var b api.Membership
	if err := json.Unmarshal(s.Body, &b); err != nil {
		return api.Member{}, false
	}
	m.Roles = b.Roles
	return m, true
}

// joined reports whether a member has let node in on an invite.
func (l *Ledger) joined(node keys.Public, now time.Time) (api.Member, bool) {
	ref := api.Ref{Kind: api.KindMember, Name: api.KeyName(node.Key())}
	signers := slices.Clone(l.byRef[ref])
	slices.SortFunc(signers, func(a, b keys.Public) int { return slices.Compare(a[:], b[:]) })
	for _, k := range signers {
		invite, err := l.inviteOf(k)
		if err != nil {
			continue
		}
		for _, s := range l.slots[Slot{Ref: ref, Signer: k}] {
			l.wake(s, now)
			if s.Witness == nil || early(s, now) {
				continue
			}
			if w, ok := l.roster.all[s.Witness.By]; !ok || w.Standing != api.StandingMember {
				continue
			}
			return api.Member{Peer: keys.Peer(node.Key()), Standing: api.StandingMember, Roles: invite.Roles,
				By: string(api.KeyName(k.Key())), Witness: keys.Peer(s.Witness.By.Key()), Since: s.Witness.At}, true
		}
	}
	return api.Member{}, false
}

// wake has the roster made again when s begins to count.
func (l *Ledger) wake(s intent.Signed, now time.Time) {
	if at := s.Issued.Add(-MaxAhead); early(s, now) && (l.roster.until.IsZero() || at.Before(l.roster.until)) {
		l.roster.until = at
	}
}

// Invites lists the invites that are known, the newest first.
func (l *Ledger) Invites(now time.Time) []api.InviteStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refresh(now)
	used := map[string]int{}
	for _, m := range l.roster.all {
		used[m.By]++
	}
	var out []api.InviteStatus
	for _, slot := range l.owned(api.KindInvite) {
		v := api.InviteStatus{Key: slot.Name, Used: used[string(slot.Name)]}
		v.Revoked = l.latest(slot, &v.Invite)
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b api.InviteStatus) int { return b.Expires.Compare(a.Expires) })
	return out
}

// Grants lists the grants that are known, the newest first.
func (l *Ledger) Grants() []api.GrantStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []api.GrantStatus
	for _, slot := range l.owned(api.KindGrant) {
		v := api.GrantStatus{Key: slot.Name}
		if k, err := api.ParseKeyName(slot.Name); err == nil {
			v.Names = len(l.bySigner[keys.Public(k)])
		}
		v.Revoked = l.latest(slot, &v.Grant)
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b api.GrantStatus) int { return b.Since.Compare(a.Since) })
	return out
}

// owned lists what the owner says of things of a kind.
func (l *Ledger) owned(k api.Kind) (out []Slot) {
	for ref := range l.byRef {
		if slot, ok := l.ownerSlot(ref); ref.Kind == k && ok {
			out = append(out, slot)
		}
	}
	return out
}

// latest reads the last body in a slot into v, and reports whether it was revoked since.
func (l *Ledger) latest(slot Slot, v any) (revoked bool) {
	for i, s := range l.slots[slot] {
		if s.Tombstone {
			revoked = revoked || i == 0
			continue
		}
		if json.Unmarshal(s.Body, v) == nil {
			break
		}
	}
	return revoked
}
