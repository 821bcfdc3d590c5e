package node

import (
	"slices"
	"testing"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/meshd/internal/meshtest"
	"github.com/realm-mesh/realm/meshd/internal/p2p"
)

// settings is what the owner wants of the node of p.
func (p *place) settings(t *testing.T, r *meshtest.Realm, v *api.NodeSettings) intent.Signed {
	t.Helper()
	in := api.Intent{Ref: api.Ref{Kind: api.KindNode, Name: meshtest.Name(p.key)}, Tombstone: v == nil}
	if v == nil {
		return r.Record(t, r.Sign(t, r.Key, in, nil))
	}
	return r.Record(t, r.Sign(t, r.Key, in, v))
}

// TestRolesBySettings hold over those of the membership and of the node, there, at
// other members, and in identify, from one moment to the next.
func TestRolesBySettings(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 2)
	a, b := all[0], all[1]
	v := watchTable(b)
	shows := func(role string) bool {
		got, err := b.host.Peerstore().SupportsProtocols(a.host.ID(), p2p.RoleProtocol(r.Pin.Realm, role))
		return err == nil && len(got) == 1
	}
	is := func(want ...string) func() bool {
		return func() bool {
			return slices.Equal(a.Table().Me().Roles, want) && slices.Equal(v.peer(t, a.self).Roles, want) &&
				shows("edge") == slices.Contains(want, "edge") && shows("gpu") == slices.Contains(want, "gpu")
		}
	}
	until(t, patience, "its own count", is("edge"))
	b.learns(t, a.place.settings(t, r, &api.NodeSettings{Roles: []string{"gpu", "lab"}}))
	until(t, patience, "the settings count", is("gpu", "lab"))
	b.learns(t, r.Admit(t, a.place.key, "vault"))
	until(t, patience, "the owner's word is known", func() bool {
		m, _ := a.ledger().Member(a.key, a.place.now())
		return slices.Equal(m.Roles, []string{"vault"})
	})
	until(t, patience, "the settings count all the same", is("gpu", "lab"))
	b.learns(t, a.place.settings(t, r, &api.NodeSettings{Drain: true, Roles: []string{}}))
	until(t, patience, "it has none", is())
	b.learns(t, a.place.settings(t, r, &api.NodeSettings{Drain: true}))
	until(t, patience, "its membership counts", is("vault"))
	b.learns(t, r.Admit(t, a.place.key), a.place.settings(t, r, nil))
	until(t, patience, "its own count again", is("edge"))
	b.learns(t, a.place.settings(t, r, &api.NodeSettings{Roles: []string{"gpu"}}))
	until(t, patience, "the settings count", is("gpu"))
	a.stop()
	a = a.place.start(t, b)
	if got := a.Table().Me().Roles; !slices.Equal(got, []string{"gpu"}) {
		t.Errorf("after a restart it begins with %v", got)
	}
}

// TestRolesAreCut has a member say that it has others than the owner wants.
func TestRolesAreCut(t *testing.T) {
	r := meshtest.NewRealm(t)
	all := mesh(t, r, 2)
	a, b := all[0], all[1]
	v := watchTable(b)
	b.learns(t, a.place.settings(t, r, &api.NodeSettings{Roles: []string{}}))
	until(t, patience, "it has none", func() bool { return len(v.peer(t, a.self).Roles) == 0 })
	a.Table().ChangePeer(func(me *api.PeerFact) { me.Roles, me.Host = []string{"edge", "root"}, "liar" })
	until(t, patience, "it is heard", func() bool { return v.peer(t, a.self).Host == "liar" })
	if got := v.peer(t, a.self).Roles; len(got) != 0 {
		t.Errorf("it is shown with %v", got)
	}
	for _, f := range b.Table().Members(10) {
		if f.Peer == a.self && len(f.Roles) != 0 {
			t.Errorf("others are told that it has %v", f.Roles)
		}
	}
}

// TestCapacity is told to others, and what newer states of workloads say is passed on.
func TestCapacity(t *testing.T) {
	r := meshtest.NewRealm(t)
	p := newPlace(t, r)
	p.capacity = api.Capacity{CPUs: 12, MemoryMB: 4096}
	a := p.start(t)
	b := newPlace(t, r).start(t, a)
	waitMesh(t, a, b)
	v := watchTable(b)
	until(t, patience, "its capacity is known", func() bool { return v.peer(t, a.self).Capacity == p.capacity })
	for _, s := range []api.State{api.StatePrepared, api.StateRefused, api.StateUnhealthy} {
		a.Table().SetOwn(api.WorkloadFact{Ref: ref("web"), Peer: a.self, Seq: 2, State: s, Serving: 1, Reason: "why"})
		until(t, patience, "it is "+string(s), func() bool {
			f, ok := v.workload(t, ref("web"), a.self)
			return ok && f.State == s && f.Serving == 1 && f.Reason == "why"
		})
	}
}
