package node

import (
	"strings"
	"testing"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
)

// TestRevokedMember is expelled everywhere at once, hears nothing more, and is not
// heard; and comes back when the owner lets it in again.
func TestRevokedMember(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 3)
	bad := all[2]
	views := []*view{watchTable(all[0]), watchTable(all[1])}
	bad.Table().SetOwn(api.WorkloadFact{Ref: ref("web"), Peer: bad.self, Seq: 1, State: api.StateRunning, Since: time.Now()})
	for _, v := range views {
		until(t, patience, "its facts are known", func() bool { _, ok := v.workload(t, ref("web"), bad.self); return ok })
	}
	start := time.Now()
	all[0].learns(t, r.Revoke(t, api.KindMember, bad.place.key))
	for i, m := range all[:2] {
		until(t, patience, "it is expelled", func() bool { return m.Neighbours() == 1 && len(m.host.Network().ConnsToPeer(bad.host.ID())) == 0 })
		took := time.Since(start)
		t.Logf("member %d has expelled it after %v", i, took)
		if took > time.Second {
			t.Error("that is too long")
		}
		until(t, patience, "its records are gone", func() bool {
			_, ok := views[i].workload(t, ref("web"), bad.self)
			return !ok && views[i].peer(t, bad.self).Peer == ""
		})
	}
	until(t, patience, "it knows", func() bool { return bad.Status().Standing == api.StandingRevoked })
	if s := bad.Status(); !strings.Contains(s.Note, "realm peers admit "+string(bad.self)) {
		t.Errorf("it notes %q", s.Note)
	}
	secret := all[0].next(t, r, "secret")
	all[0].submit(t, secret)
	until(t, patience, "the others know the secret", func() bool { return all[1].holds(secret) })
	bad.finder.NetworkChanged() // it tries again, at once
	time.Sleep(time.Second)
	if bad.holds(secret) || bad.Neighbours() != 0 || all[0].Neighbours() != 1 || all[1].Neighbours() != 1 {
		t.Errorf("it holds the secret: %v; neighbours: %d, %d, %d", bad.holds(secret), bad.Neighbours(), all[0].Neighbours(), all[1].Neighbours())
	}

	all[1].learns(t, r.Admit(t, bad.place.key))
	took := until(t, 30*time.Second, "it is back", func() bool { return bad.holds(secret) && all[0].Neighbours() == 2 && all[1].Neighbours() == 2 })
	t.Logf("back after %v", took)
	until(t, patience, "it knows", func() bool { return bad.Status().Standing == api.StandingMember })
}

// TestRevokedWhileAway comes back, and finds out from being let in by nobody.
func TestRevokedWhileAway(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 2)
	all[1].stop()
	all[0].learns(t, r.Revoke(t, api.KindMember, all[1].place.key))
	back := all[1].place.start(t, all[0])
	took := until(t, 30*time.Second, "it knows", func() bool { return back.Status().Standing == api.StandingRevoked })
	t.Logf("after %v it says %q", took, back.Status().Note)
	if note := back.Status().Note; !strings.Contains(note, "most likely") || back.ledger().Len() == 0 || all[0].Neighbours() != 0 {
		t.Errorf("it says %q", note)
	}
	all[0].learns(t, r.Admit(t, all[1].place.key))
	until(t, 30*time.Second, "it is back", func() bool { return back.Status().Standing == api.StandingMember && all[0].Neighbours() == 1 })
}

// TestRevokedInvite takes all with it that it has let in, and those whom these have.
func TestRevokedInvite(t *testing.T) {
	r := meshtest.NewRealm(t)
	m := newPlace(t, r).start(t)
	hour := api.Invite{Expires: time.Now().Add(time.Hour)}
	token, second := r.Invite(t, hour), r.Invite(t, hour)
	a := joinBy(t, token, m).start(t, m)
	waitMesh(t, m, a)
	b := joinBy(t, second, a).start(t, a) // countersigned by a
	waitMesh(t, m, a, b)
	m.learns(t, mustRead(t, token.Invite), r.Revoke(t, api.KindInvite, token.Key))
	until(t, patience, "both are out", func() bool { return m.Neighbours() == 0 })
	for _, n := range []*member{a, b} {
		until(t, patience, "it knows", func() bool { return n.Status().Standing == api.StandingRevoked })
	}
	reply := m.Members("")
	if len(reply.Members) != 1 || len(reply.Invites) != 2 {
		t.Errorf("members are %+v, invites %+v", reply.Members, reply.Invites)
	}
	for _, i := range reply.Invites {
		if i.Revoked != (i.Key == meshtest.Name(token.Key)) {
			t.Errorf("invite %+v", i)
		}
	}
}
