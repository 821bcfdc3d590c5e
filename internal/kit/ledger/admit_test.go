package ledger

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/internal/kit/keys"
)

func TestAdmit(t *testing.T) {
	first, inv, unseen, ended, shut, once := key(3), key(4), key(5), key(6), key(7), key(8)
	node := key(20)
	newInvite := invite(t, owner, unseen, 1, api.Invite{})
	foreign := join(t, inv, node).Intent
	foreign.Realm = api.NewRealmID(pub(key(99)).Key())
	l := New(thePin)
	mustAdd(t, l, admit(t, owner, first, 1), invite(t, owner, inv, 1, api.Invite{}), invite(t, owner, ended, 1, api.Invite{Expires: t0.Add(-1)}),
		invite(t, owner, shut, 1, api.Invite{}), tombstone(t, owner, about(api.KindInvite, shut), 2),
		tombstone(t, owner, about(api.KindMember, key(21)), 1), invite(t, owner, once, 1, api.Invite{Uses: 1}), witnessed(t, join(t, once, key(22)), first, t0))
	longer := invite(t, owner, ended, 2, api.Invite{})
	for _, tt := range []struct {
		name  string
		join  intent.Signed
		by    int
		err   error
		text  string
		known bool // its invite, and that is good for any time
	}{
		{"good", join(t, inv, node), 3, nil, "", true},
		{"with its invite", with(t, join(t, unseen, node), newInvite), 3, nil, "", false},
		{"with a longer invite", with(t, join(t, ended, node), longer), 3, nil, "", true},
		{"without", join(t, unseen, node), 3, ErrUnauthorized, "no invite", false},
		{"with another's", with(t, join(t, unseen, node), invite(t, owner, inv, 1, api.Invite{})), 3, ErrUnauthorized, "no invite", false},
		{"by one who is no member", join(t, inv, node), 30, ErrUnauthorized, "try another one", true},
		{"ended", join(t, ended, node), 3, ErrExpired, "ask the owner", true},
		{"revoked", join(t, shut, node), 3, ErrRevoked, "revoked", false},
		{"used", join(t, once, node), 3, ErrForbidden, "was for 1 nodes", true},
		{"of a node that was revoked", join(t, inv, key(21)), 3, ErrRevoked, "admit it again", true},
		{"of another realm", sign(t, inv, foreign, nil), 3, ErrRealm, "", false},
		{"by the owner", admit(t, owner, node, 1), 3, ErrUnauthorized, "no invite", false},
		{"with roles", admit(t, inv, node, 1, "edge"), 3, ErrForbidden, "", false},
		{"as a client", client(t, inv, node, t0.Add(time.Hour)), 3, ErrForbidden, "", false},
		{"number 2", admit(t, inv, node, 2), 3, ErrForbidden, "", false},
		{"a program", component(t, inv, "web", 1), 3, ErrForbidden, "", false},
	} {
		before := view(l, t0)
		s, err := l.Admit(tt.join, key(tt.by), t0)
		mustAgree(t, tt.name, before, view(l, t0))
		if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) || err != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v", tt.name, err)
		}
		if (l.Joining(tt.join) == nil) != tt.known {
			t.Errorf("%s: joining: %v", tt.name, l.Joining(tt.join))
		}
		if err != nil {
			continue
		}
		if s.Witness == nil || s.Witness.By != pub(first) || !s.Witness.At.Equal(t0) {
			t.Errorf("%s: witness %+v", tt.name, s.Witness)
		}
		after := New(thePin)
		_, _ = after.AddAll(flat(l), t0)
		if _, err := after.Add(read(t, s.Envelope), t0); err != nil || !after.roster.member(pub(node)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	// Who is a member already gets what made it one.
	done, err := l.Admit(join(t, inv, node), first, t0)
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, l, done)
	again, err := l.Admit(join(t, inv, node), first, t0.Add(time.Minute))
	if err != nil || again.Digest != done.Digest || again.Grant == nil {
		t.Errorf("again: %+v, %v", again, err)
	}
	if own, err := l.Admit(join(t, inv, first), first, t0); err != nil || own.Digest != admit(t, owner, first, 1).Digest {
		t.Errorf("a member by the owner's word: %+v, %v", own, err)
	}
}

// What people see of members, invites and grants.
func TestLists(t *testing.T) {
	first, inv, ci := key(3), key(4), key(5)
	l := New(thePin)
	if len(l.Members(t0))+len(l.Invites(t0))+len(l.Grants()) != 0 {
		t.Error("an empty realm has somebody in it")
	}
	mustAdd(t, l, admit(t, owner, first, 1, "edge"), invite(t, owner, inv, 1, api.Invite{Uses: 3, Comment: "lab", Roles: []string{"lab"}}),
		grant(t, owner, ci, 1, api.Grant{Prefix: "ci-"}), witnessed(t, join(t, inv, key(6)), first, t0.Add(time.Minute)), component(t, ci, "ci-a", 1), component(t, ci, "ci-a", 2), component(t, ci, "ci-b", 1))
	m, ok := l.Member(pub(key(6)), t0)
	if want := (api.Member{Peer: peer(key(6)), Standing: api.StandingMember, Roles: []string{"lab"}, By: string(name(inv)), Witness: peer(first), Since: t0.Add(time.Minute)}); !ok || !equal(m, want) {
		t.Errorf("%+v, want %+v", m, want)
	}
	m, ok = l.Member(pub(first), t0)
	if want := (api.Member{Peer: peer(first), Standing: api.StandingMember, Roles: []string{"edge"}, By: "owner", Since: t0}); !ok || !equal(m, want) {
		t.Errorf("%+v, want %+v", m, want)
	}
	if i := l.Invites(t0); len(i) != 1 || i[0].Key != name(inv) || i[0].Used != 1 || i[0].Revoked || i[0].Uses != 3 || i[0].Comment != "lab" {
		t.Errorf("%+v", i)
	}
	if g := l.Grants(); len(g) != 1 || g[0].Key != name(ci) || g[0].Names != 2 || g[0].Revoked || g[0].Prefix != "ci-" {
		t.Errorf("%+v", g)
	}
	mustAdd(t, l, tombstone(t, owner, about(api.KindInvite, inv), 2), tombstone(t, owner, about(api.KindGrant, ci), 2), tombstone(t, owner, about(api.KindMember, first), 2))
	if i := l.Invites(t0); len(i) != 1 || i[0].Used != 0 || !i[0].Revoked || i[0].Comment != "lab" {
		t.Errorf("revoked: %+v", i)
	}
	if g := l.Grants(); len(g) != 1 || g[0].Names != 0 || !g[0].Revoked || g[0].Prefix != "ci-" {
		t.Errorf("revoked: %+v", g)
	}
	if all := l.Members(t0); len(all) != 1 || all[0].Standing != api.StandingRevoked {
		t.Errorf("revoked: %+v", all)
	}
	if _, ok := l.Member(keys.Public{1}, t0); ok {
		t.Error("a stranger is somebody")
	}
}

func equal(a, b api.Member) bool {
	return a.Peer == b.Peer && a.Standing == b.Standing && strings.Join(a.Roles, ",") == strings.Join(b.Roles, ",") && a.By == b.By && a.Witness == b.Witness && a.Since.Equal(b.Since)
}
