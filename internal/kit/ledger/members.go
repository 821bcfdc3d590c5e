package ledger

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

// roster is who is a member, as the intents say.
type roster struct {
	stale bool // something was taken back: memberships that rest on it must go
	all   map[keys.Public]api.Member
	// assumed are members without the intents that make them so: see Judge.
	assumed map[keys.Public]bool
}

func newRoster() roster { return roster{all: map[keys.Public]api.Member{}} }

func (r *roster) member(node keys.Public) bool { return r.all[node].Standing == api.StandingMember }

// allowedMember reports why a membership may not be signed by its signer.
func (l *state) allowedMember(s intent.Signed, owns bool) error {
	var m api.Membership
	if !s.Tombstone {
		if err := json.Unmarshal(s.Body, &m); err != nil {
			return fmt.Errorf("%w: %w", ErrForbidden, err)
		}
	}
	switch {
	case !m.Expires.IsZero():
		return ErrClient
	case owns && s.Witness != nil:
		return fmt.Errorf("%w: what the owner says needs no witness", ErrForbidden)
	case owns:
		return nil
	}
	invite, err := l.joining(s)
	switch w := s.Witness; {
	case err != nil:
		return err
	case w == nil:
		return &missingError{s.Signer, "no member has countersigned"}
	case api.KeyName(w.By.Key()) == s.Name:
		return fmt.Errorf("%w: a node does not let itself in", ErrForbidden)
	case w.At.After(invite.Expires):
		return fmt.Errorf("%w: the invite ended at %s, and the node came at %s", ErrExpired, invite.Expires.Format(time.RFC3339), w.At.Format(time.RFC3339))
	}
	return nil
}

// joining is the invite that s, which nobody may have countersigned yet, shows; or why
// that does not let its node in. The invite's time and uses are not asked.
func (l *state) joining(s intent.Signed) (i api.Invite, err error) {
	if s.Realm != l.pin.Realm {
		return i, fmt.Errorf("%w: %s, this node is of %s", ErrRealm, s.Realm, l.pin.Realm)
	}
	if i, err = l.inviteOf(s.Signer); err != nil {
		return i, err
	}
	var m api.Membership
	switch err := json.Unmarshal(s.Body, &m); {
	case err != nil, s.Kind != api.KindMember, s.Tombstone, s.Seq != 1, len(m.Roles) > 0, !m.Expires.IsZero():
		return i, fmt.Errorf("%w: an invite lets nodes in, and nothing else", ErrForbidden)
	}
	return i, nil
}

// stand brings a row of the roster up to date, after something was added about it.
func (l *state) stand(ref api.Ref) {
	node := keyOf(ref)
	was := l.roster.member(node)
	l.roster.all[node] = l.row(ref)
	l.roster.stale = l.roster.stale || was && !l.roster.member(node)
}

// row is what the intents about a node say, of which there are some.
func (l *state) row(ref api.Ref) api.Member {
	if s, ok := l.word(ref); ok {
		return admitted(s)
	}
	s, _ := l.join(ref)
	return l.joined(s)
}

// admitted is what follows from the owner's word about a node.
func admitted(s intent.Signed) api.Member {
	m := api.Member{Peer: keys.Peer(keyOf(s.Ref).Key()), Standing: api.StandingMember, By: "owner", Since: s.Issued}
	if s.Tombstone {
		m.Standing = api.StandingRevoked
		return m
	}
	var b api.Membership
	if json.Unmarshal(s.Body, &b) == nil { // Read has seen to that
		m.Roles = b.Roles
	}
	return m
}

// join is the one among the countersigned memberships of a node that is shown for it.
func (l *state) join(ref api.Ref) (best intent.Signed, ok bool) {
	for _, k := range l.byRef[ref] {
		if l.owns(k) {
			continue
		}
		for _, s := range l.slots[Slot{Ref: ref, Signer: k}] {
			if c := slices.Compare(s.Signer[:], best.Signer[:]); !ok || c < 0 || c == 0 && s.Version().Newer(best.Version()) {
				best, ok = s, true
			}
		}
	}
	return best, ok
}

// joined is what follows from a countersigned membership.
func (l *state) joined(s intent.Signed) api.Member {
	m := api.Member{Peer: keys.Peer(keyOf(s.Ref).Key()), Standing: api.StandingMember, By: string(s.By()),
		Witness: keys.Peer(s.Witness.By.Key()), Since: s.Witness.At}
	if i, err := l.inviteOf(s.Signer); err == nil { // else s would not be held
		m.Roles = i.Roles
	}
	return m
}

// refresh makes the roster anew if something was taken back: first whom the owner has
// admitted or revoked, then whom they have let in, and so on. Memberships that are
// not reached are removed.
func (l *state) refresh() {
	if l.roster.stale {
		l.rebuild()
		l.roster.stale = false
	}
}

func (l *state) rebuild() {
	all := make(map[keys.Public]api.Member, len(l.roster.all))
	var queue []keys.Public
	joins := map[keys.Public][]intent.Signed{} // by witness
	for ref := range l.byRef {
		if ref.Kind != api.KindMember {
			continue
		}
		if s, ok := l.word(ref); ok {
			m := admitted(s)
			all[keyOf(ref)] = m
			if m.Standing == api.StandingMember {
				queue = append(queue, keyOf(ref))
			}
		}
		for _, k := range l.byRef[ref] {
			for _, s := range l.slots[Slot{Ref: ref, Signer: k}] {
				if s.Witness != nil {
					joins[s.Witness.By] = append(joins[s.Witness.By], s)
				}
			}
		}
	}
	for node := range l.roster.assumed {
		if _, said := all[node]; !said {
			all[node] = api.Member{Peer: keys.Peer(node.Key()), Standing: api.StandingMember}
			queue = append(queue, node)
		}
	}
	for len(queue) > 0 {
		witness := queue[0]
		queue = queue[1:]
		for _, s := range joins[witness] {
			if node := keyOf(s.Ref); all[node].Standing == "" {
				all[node] = api.Member{Standing: api.StandingMember}
				queue = append(queue, node)
			}
		}
	}
	for witness, let := range joins {
		if all[witness].Standing == api.StandingMember {
			continue
		}
		for _, s := range let {
			l.remove(s)
		}
	}
	l.roster.all = all
	for node, m := range all {
		if m.Peer == "" {
			all[node] = l.row(refMember(node))
		}
	}
}

func refMember(node keys.Public) api.Ref {
	return api.Ref{Kind: api.KindMember, Name: api.KeyName(node.Key())}
}

// Members lists who is, or was, a member, in the order of peer ids.
func (l *Ledger) Members(time.Time) []api.Member {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make([]api.Member, 0, len(l.roster.all))
	for _, m := range l.roster.all {
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b api.Member) int { return strings.Compare(string(a.Peer), string(b.Peer)) })
	return out
}

// Member is how the node with this key stands; false where no intent speaks of it.
func (l *Ledger) Member(node keys.Public, _ time.Time) (api.Member, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	m, ok := l.roster.all[node]
	return m, ok
}

// Invites lists the invites that are known, the newest first.
func (l *Ledger) Invites(time.Time) []api.InviteStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []api.InviteStatus
	for ref := range l.byRef {
		if ref.Kind != api.KindInvite {
			continue
		}
		v := api.InviteStatus{Key: ref.Name, Used: l.used(keyOf(ref))}
		v.Revoked = l.latest(ref, &v.Invite)
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b api.InviteStatus) int {
		return cmp.Or(b.Expires.Compare(a.Expires), cmp.Compare(a.Key, b.Key))
	})
	return out
}

// used is how many nodes the invite with this key has let in.
func (l *state) used(invite keys.Public) (n int) {
	for ref := range l.bySigner[invite] {
		if ref.Kind == api.KindMember {
			n++
		}
	}
	return n
}

// Grants lists the grants that are known, the newest first.
func (l *Ledger) Grants() []api.GrantStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []api.GrantStatus
	for ref := range l.byRef {
		if ref.Kind != api.KindGrant {
			continue
		}
		v := api.GrantStatus{Key: ref.Name, Names: len(l.bySigner[keyOf(ref)])}
		v.Revoked = l.latest(ref, &v.Grant)
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b api.GrantStatus) int {
		return cmp.Or(b.Since.Compare(a.Since), cmp.Compare(a.Key, b.Key))
	})
	return out
}

// latest reads the last body that the owner has signed about ref into v, and reports
// whether it was revoked since.
func (l *state) latest(ref api.Ref, v any) (revoked bool) {
	s, ok := l.word(ref)
	if !ok {
		return false
	}
	for i := len(l.path); i >= 0; i-- {
		k := l.owner()
		if i < len(l.path) {
			k = l.path[i].Signer
		}
		for _, o := range l.slots[Slot{Ref: ref, Signer: k}] {
			if !o.Tombstone && json.Unmarshal(o.Body, v) == nil {
				return s.Tombstone
			}
		}
	}
	return s.Tombstone
}
