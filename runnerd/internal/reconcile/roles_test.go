package reconcile

import (
	"log/slog"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/realm-mesh/realm/api"
	"github.com/realm-mesh/realm/internal/kit/intent"
	"github.com/realm-mesh/realm/runnerd/internal/workload"
)

var discard = slog.New(slog.DiscardHandler)

func memberRef(n int) api.Ref { return api.Ref{Kind: api.KindMember, Name: nameOf(key(n))} }

func settingsRef(n int) api.Ref { return api.Ref{Kind: api.KindNode, Name: nameOf(key(n))} }

func TestRoles(t *testing.T) {
	withNode(t, func(n *node) {
		n.roles = []string{"edge"}
		n.restart()
		n.show(sign(n, owner, double, 1, function(1), tags("gpu")), sign(n, owner, triple, 1, function(1)))
		here := func(step string, want bool) {
			n.Helper()
			if (n.duty(double) == api.DutyRun) != want || n.duty(triple) != api.DutyRun {
				n.Errorf("%s: here: %v, want %v", step, n.duty(double), want)
			}
		}
		here("by the settings", false)
		n.show(sign(n, owner, memberRef(self), 1, api.Membership{}))
		here("a member without roles", false)
		n.show(sign(n, owner, memberRef(self), 2, api.Membership{Roles: []string{"gpu"}}))
		here("by its membership", true)
		delete(n.wants, triple)
		n.show(sign(n, owner, memberRef(self), 3, api.Membership{Roles: []string{"web"}}))
		if _, told := n.wants[triple]; told {
			n.Error("what is not about roles is told of again")
		}
		n.wants[triple] = workload.Want{Duty: api.DutyRun}
		here("by another membership", false)
		n.roles = []string{"gpu"}
		n.restart()
		here("settings do not count against the membership", false)
		n.show(sign(n, owner, settingsRef(self), 1, api.NodeSettings{Roles: []string{"gpu"}}))
		here("what the owner sets counts against the membership", true)
		n.restart()
		here("after a start, too", true)
		n.show(sign(n, owner, settingsRef(self), 2, api.NodeSettings{Roles: []string{}}))
		here("none at all", false)
		n.show(sign(n, owner, memberRef(self), 4, api.Membership{Roles: []string{"gpu"}}))
		here("none at all, whatever the membership says", false)
		n.show(sign(n, owner, settingsRef(self), 3, nil))
		here("taken back", true)
	})
}

func TestRolesOfAnInvite(t *testing.T) {
	withNode(t, func(n *node) {
		n.restart()
		inv, host := key(6), key(7)
		invite := sign(n, owner, api.Ref{Kind: api.KindInvite, Name: nameOf(inv)}, 1, api.Invite{Roles: []string{"gpu"}, Expires: t0.Add(time.Hour)})
		join, err := sign(n, inv, memberRef(self), 1, api.Membership{}).WithGrant(invite.Envelope)
		check(n, err)
		w, err := intent.Countersign(join, host, t0)
		check(n, err)
		join, err = join.WithWitness(w)
		check(n, err)
		n.show(sign(n, owner, double, 1, function(1), tags("gpu")), join)
		if n.duty(double) == api.DutyRun {
			n.Error("a node that no member has let in has the roles of its invite")
		}
		n.show(sign(n, owner, memberRef(7), 1, api.Membership{}))
		if n.duty(double) != api.DutyRun {
			n.Error("the roles of the invite do not count")
		}
	})
}

// TestAnyOrder shows one set of intents in many orders and parts: what is owed in the
// end is the same.
func TestAnyOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ci, dev := key(5), key(6)
		grant := func(k int, seq uint64, prefix string) intent.Signed {
			return sign(t, owner, api.Ref{Kind: api.KindGrant, Name: nameOf(key(k))}, seq, api.Grant{May: []api.Right{api.RightPush}, Prefix: prefix, Since: t0})
		}
		refs := []api.Ref{double, triple, web}
		all := []intent.Signed{grant(5, 1, ""), grant(6, 1, "t"), sign(t, owner, api.Ref{Kind: api.KindGrant, Name: nameOf(dev)}, 2, nil),
			sign(t, owner, memberRef(self), 1, api.Membership{Roles: []string{"gpu"}})}
		for i, ref := range refs {
			for seq := range uint64(4) {
				all = append(all, sign(t, owner, ref, seq+1, function(byte(seq))), sign(t, owner, ref, seq+1, function(byte(seq+100))),
					sign(t, ci, ref, seq+3, function(byte(seq)), tags("gpu")), sign(t, dev, ref, seq+4, function(byte(seq))))
			}
			if i > 0 {
				all = append(all, sign(t, owner, ref, 5, nil))
			}
		}
		base := newNodeIn(t)
		base.show(all...)
		for round := range 50 {
			n := newNodeIn(t)
			mixed := append(append([]intent.Signed{}, all...), all[:len(all)/2]...)
			rand.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
			for len(mixed) > 0 {
				k := 1 + rand.IntN(min(len(mixed), 7))
				n.show(mixed[:k]...)
				mixed = mixed[k:]
			}
			for _, ref := range refs {
				if got, want := n.want(ref), base.want(ref); !got.Same(want) || got.Seq == 0 {
					t.Fatalf("round %d: %s: number %d by %s (%s), want number %d by %s (%s)", round, ref, got.Seq, got.Signer, got.Duty, want.Seq, want.Signer, want.Duty)
				}
			}
			n.stop()
		}
		base.stop()
	})
}
